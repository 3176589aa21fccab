package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// A storm's files, on a server of its own.
const (
	stormServer = "192.168.1.100"
	stormKernel = "vmlinuz"
	stormInitrd = "initrd.img"
)

// storm is many guests that start at once, and their servers.
type storm struct {
	*bench
	program  string
	dir      string // for results
	url      string // of the directory of the files
	files    map[string][]byte
	requests func() int    // for files, so far; nil where the server does not tell
	leases   *real.Process // the DHCP server, which logs
}

// stormSet is where the files come from, and the rows of that.
type stormSet struct {
	files string
	run   func(s *storm, host *lab.Host, out io.Writer, guests []int) error
}

// storms has many guests start at once, and as many curls get the same files.
func (b *bench) storms(out io.Writer, program, only string, storms []int) error {
	sets := slices.DeleteFunc([]stormSet{
		{"nginx", (*storm).fromNginx},
		{"tftpd-hpa", (*storm).fromTFTPD},
		{"dnsmasq", (*storm).fromDnsmasq},
	}, func(s stormSet) bool { return !strings.Contains("Many guests at once, "+s.files, only) })
	if len(sets) == 0 {
		return nil
	}
	fmt.Fprint(out, "\n## Many guests at once\n\nDHCP, the search, a kernel and an initrd, against as many curls at once that get the two files and no more: 4 and 28 MiB from nginx, 256 KiB and 2 MiB by TFTP.\n"+
		"Without a limit the wire is a veth, and what counts is the CPU time of so many processes on this machine; a lab's wire has 1 Gbit/s.\n"+
		"With `--cache` the first boot of the row finds an empty one. CPU is that of one boot; memory is what the machine had less at most, without what it can give back. Files are compared afterwards.\n"+
		"Leases are the DHCPACKs in the server's log, and how many addresses they gave.\n\n"+
		"| files from | leases from | guests | wire | cache | booted | leases | wall s | curls, wall s | gopxeboot / curls | CPU s a boot | memory MiB | requests at the server |\n|---|---|---:|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	host, err := b.lab.AddHost(context.Background(), lab.HostConfig{Name: "storm", Address: netip.PrefixFrom(netip.MustParseAddr(stormServer), 24)})
	if err != nil {
		return err
	}
	for _, s := range sets {
		if err := s.run(&storm{bench: b, program: program, dir: filepath.Join(b.dir, "storms")}, host, out, storms); err != nil {
			fmt.Fprintf(out, "| %s | failed: %v |\n", s.files, err)
		}
	}
	return nil
}

// stormDHCP has an address for each guest.
func stormDHCP(nextServer netip.Addr) lab.DHCP {
	config := lab.SampleDHCP()
	config.Fixed, config.First, config.Last = nil, netip.MustParseAddr("192.168.1.110"), netip.MustParseAddr("192.168.1.250")
	config.NextServer = nextServer
	return config
}

// tree is a directory with the files, and a configuration that names them.
func (s *storm) tree(name string, kernel, initrd int) (string, error) {
	tree := filepath.Join(s.bench.dir, name)
	noise := make([]byte, initrd)
	_, _ = rand.NewChaCha8([32]byte{8}).Read(noise)
	s.files = map[string][]byte{
		stormKernel: fake.BzImage(fake.Vmlinux(elf.EM_X86_64, noise[:kernel], fake.Notes(true, true), elf.SHT_NULL)),
		stormInitrd: append([]byte("\x1f\x8b\x08"), noise...),
	}
	var sums []byte
	err := errors.Join(os.MkdirAll(filepath.Join(tree, "pxelinux.cfg"), 0o755), os.MkdirAll(s.dir, 0o700),
		os.WriteFile(filepath.Join(tree, "pxelinux.cfg/default"), []byte("default linux\nlabel linux\n kernel "+s.url+stormKernel+"\n initrd "+s.url+stormInitrd+"\n"), 0o644))
	for name, content := range s.files {
		sums = fmt.Appendf(sums, "%x  %s\n", sha256.Sum256(content), s.url+name)
		err = errors.Join(err, os.WriteFile(filepath.Join(tree, name), content, 0o644))
	}
	return tree, errors.Join(err, os.WriteFile(filepath.Join(s.bench.dir, "storm.sums"), sums, 0o644))
}

func (s *storm) fromNginx(host *lab.Host, out io.Writer, storms []int) error {
	s.url = "http://" + stormServer + "/"
	tree, err := s.tree("storm-http", 4*mib, 28*mib)
	if err != nil {
		return err
	}
	log := filepath.Join(s.bench.dir, "storm.log")
	s.requests = func() int {
		text, _ := os.ReadFile(log)
		return bytes.Count(text, []byte("\n"))
	}
	nginx, err := real.Nginx(context.Background(), host, tree, "access_log "+log+";")
	if err != nil {
		return err
	}
	defer nginx.Stop()
	s.leases, err = real.Dnsmasq(context.Background(), s.lab.Servers, stormDHCP(lab.ServersAddress.Addr()), tree)
	if err != nil {
		return err
	}
	defer s.leases.Stop()
	for _, wire := range []string{"no limit", "1 Gbit/s"} {
		if wire != "no limit" {
			if err := tc(host, "add dev "+lab.HostInterface+" root tbf rate 1gbit burst 256k latency 50ms"); err != nil {
				return fmt.Errorf("a wire of %s: %w", wire, err)
			}
			defer tc(host, "del dev "+lab.HostInterface+" root")
		}
		for _, guests := range storms {
			for _, cache := range []bool{false, true} {
				s.row(out, "nginx | dnsmasq", wire, guests, cache)
			}
		}
	}
	return nil
}

// tc sets what a host sends on its wire.
func tc(host *lab.Host, words string) error {
	return host.Run(exec.Command("tc", strings.Fields("qdisc "+words)...))
}

// fromTFTPD has leases from ISC dhcpd, which looks whether an address is free.
func (s *storm) fromTFTPD(host *lab.Host, out io.Writer, storms []int) error {
	s.url = "tftp://" + stormServer + "/"
	tree, err := s.tree("storm-tftp", 256*kib, 2*mib)
	if err != nil {
		return err
	}
	tftpd, err := real.TFTPD(context.Background(), host, tree)
	if err != nil {
		return err
	}
	defer tftpd.Stop()
	s.leases, err = real.DHCPD(context.Background(), s.lab.Servers, stormDHCP(host.Address.Addr()), "authoritative;")
	if err != nil {
		return err
	}
	defer s.leases.Stop()
	for _, guests := range storms {
		s.row(out, "tftpd-hpa | ISC dhcpd", "no limit", guests, false)
	}
	return nil
}

// fromDnsmasq has all from one dnsmasq, which serves 50 at once.
func (s *storm) fromDnsmasq(host *lab.Host, out io.Writer, storms []int) error {
	s.url = "tftp://" + stormServer + "/"
	tree, err := s.tree("storm-dnsmasq", 256*kib, 2*mib)
	if err != nil {
		return err
	}
	s.leases, err = real.Dnsmasq(context.Background(), host, stormDHCP(host.Address.Addr()), tree)
	if err != nil {
		return err
	}
	defer s.leases.Stop()
	s.requests = func() (files int) {
		before := ""
		for line := range strings.Lines(s.leases.Log()) {
			sent := strings.Contains(line, "sent "+tree+"/"+stormKernel) || strings.Contains(line, "sent "+tree+"/"+stormInitrd)
			if sent && !strings.Contains(before, " received from ") { // else we have cancelled it, for another block size
				files++
			}
			before = line
		}
		return files
	}
	for _, guests := range storms {
		s.row(out, "dnsmasq | dnsmasq", "no limit", guests, false)
	}
	return nil
}

// row is one line of the table.
func (s *storm) row(out io.Writer, servers, wire string, guests int, cache bool) {
	curls, err := s.all(guests, func(_ int, dir string) *exec.Cmd {
		return exec.Command("curl", "-sSf", "-Z", "--tftp-blksize", "1468", "-o", filepath.Join(dir, "kernel"), s.url+stormKernel, "-o", filepath.Join(dir, "ramdisk"), s.url+stormInitrd)
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %d of %d curls: %v\n", curls.good, guests, err)
	}
	requests, logged := 0, len(s.leases.Log())
	if s.requests != nil {
		requests = s.requests()
	}
	with, kept := "no", filepath.Join(s.bench.dir, "cache")
	defer os.RemoveAll(kept)
	ours, err := s.all(guests, func(i int, dir string) *exec.Cmd {
		args := []string{"-q", "--output-format=simple0", "--output=" + filepath.Join(dir, "answer"), "--output-directory=" + filepath.Join(dir, "files"),
			fmt.Sprintf("mac=00:16:3e:aa:00:%02x,bridge=%s", i, s.lab.Bridge())}
		if cache {
			with, args = "yes", append([]string{"--cache=" + kept, "--sums=" + filepath.Join(s.bench.dir, "storm.sums")}, args...)
		}
		return exec.Command(s.program, args...)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", guests, "guests:", err)
	}
	asked := "-"
	if s.requests != nil {
		asked = fmt.Sprint(s.requests() - requests)
	}
	wall, ratio := fmt.Sprintf("%.2f", curls.wall), fmt.Sprintf("%.2f", ours.wall/curls.wall)
	if curls.good < guests {
		wall, ratio = fmt.Sprintf("%d of %d failed", guests-curls.good, guests), "-"
	}
	fmt.Fprintf(out, "| %s | %d | %s | %s | %d | %s | %.2f | %s | %s | %.3f | %.0f | %s |\n", servers, guests, wire, with, ours.good, acks(s.leases.Log()[logged:]), ours.wall, wall, ratio, ours.cpu/float64(guests), ours.memory, asked)
}

// given is a line in the log of dnsmasq or ISC dhcpd.
var given = regexp.MustCompile(`DHCPACK(?:\(\w+\)| on) (\S+)`)

// acks counts DHCPACKs in a log, and the addresses that they gave.
func acks(log string) string {
	addresses := map[string]bool{}
	all := given.FindAllStringSubmatch(log, -1)
	for _, ack := range all {
		addresses[ack[1]] = true
	}
	return fmt.Sprintf("%d, %d", len(all), len(addresses))
}

// cost is what many processes took together.
type cost struct {
	good              int     // that have the right files
	wall, cpu, memory float64 // s, s, MiB
}

// all runs as many commands at once. The error is that of one that failed.
func (s *storm) all(guests int, command func(i int, dir string) *exec.Cmd) (c cost, err error) {
	var running sync.WaitGroup
	var mu sync.Mutex
	begin := time.Now()
	dirs := make([]string, guests)
	for i := range guests {
		dirs[i] = filepath.Join(s.dir, fmt.Sprint(i))
		if err := os.Mkdir(dirs[i], 0o700); err != nil {
			return c, err
		}
		defer os.RemoveAll(dirs[i])
		cmd := command(i, dirs[i])
		var said bytes.Buffer
		cmd.Stderr = &said
		running.Go(func() {
			failed := s.lab.Dom0.Run(cmd)
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = fmt.Errorf("%w: %s", failed, strings.TrimSpace(said.String()))
			}
			if state := cmd.ProcessState; state != nil {
				c.cpu += (state.UserTime() + state.SystemTime()).Seconds()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	c.memory = used(done)
	c.wall = time.Since(begin).Seconds()
	for _, dir := range dirs {
		if s.right(dir) {
			c.good++
		}
	}
	return c, err
}

// used is how much less memory is available at most until then, in MiB.
func used(done <-chan struct{}) float64 {
	before := available()
	least := before
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return float64(before-least) / 1024
		case <-tick.C:
			least = min(least, available())
		}
	}
}

// available is the machine's memory that is, in KiB.
func available() (free int) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	fmt.Sscan(rest, &free)
	return free
}

// right says whether both files are somewhere in a directory.
func (s *storm) right(dir string) bool {
	found := 0
	filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
		name := map[bool]string{true: stormKernel, false: stormInitrd}[strings.HasPrefix(filepath.Base(path), "kernel")]
		if got, err := os.ReadFile(path); err == nil && bytes.Equal(got, s.files[name]) {
			found++
		}
		return nil
	})
	return found == 2
}
