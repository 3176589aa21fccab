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
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// A storm's files, on a web server of its own.
const (
	stormServer = "192.168.1.100"
	stormKernel = "vmlinuz"
	stormInitrd = "initrd.img"
)

// storm is that server, which says how often it was asked.
type storm struct {
	*bench
	program string
	dir     string // for results
	files   map[string][]byte
	log     string
}

// storms has many guests start at once, and as many curls get the same files.
func (b *bench) storms(out io.Writer, program string, storms []int) error {
	fmt.Fprint(out, "\n## Many guests at once\n\nDHCP and the search from dnsmasq, a kernel of 4 MiB and an initrd of 28 MiB from nginx, against as many curls at once that get the two files and no more.\n"+
		"Without a limit the wire is a veth, and what counts is the CPU time of so many processes on this machine; a lab's wire has 1 Gbit/s.\n"+
		"With `--cache` the first boot of the row finds an empty one. CPU is that of one boot; memory is what the machine had less at most, without what it can give back. Files are compared afterwards.\n\n"+
		"| guests | wire | cache | booted | wall s | curls, wall s | gopxeboot / curls | CPU s a boot | memory MiB | requests at the server |\n|---:|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	tree := filepath.Join(b.dir, "storm")
	noise := make([]byte, 28*mib)
	_, _ = rand.NewChaCha8([32]byte{8}).Read(noise)
	s := &storm{bench: b, program: program, dir: filepath.Join(b.dir, "storms"), log: filepath.Join(b.dir, "storm.log"), files: map[string][]byte{
		stormKernel: fake.BzImage(fake.Vmlinux(elf.EM_X86_64, noise[:4*mib], fake.Notes(true, true), elf.SHT_NULL)),
		stormInitrd: append([]byte("\x1f\x8b\x08"), noise...),
	}}
	url := "http://" + stormServer + "/"
	var sums []byte
	err := errors.Join(os.MkdirAll(filepath.Join(tree, "pxelinux.cfg"), 0o755), os.MkdirAll(s.dir, 0o700),
		os.WriteFile(filepath.Join(tree, "pxelinux.cfg/default"), []byte("default linux\nlabel linux\n kernel "+url+stormKernel+"\n initrd "+url+stormInitrd+"\n"), 0o644))
	for name, content := range s.files {
		sums = fmt.Appendf(sums, "%x  %s\n", sha256.Sum256(content), url+name)
		err = errors.Join(err, os.WriteFile(filepath.Join(tree, name), content, 0o644))
	}
	if err := errors.Join(err, os.WriteFile(filepath.Join(b.dir, "storm.sums"), sums, 0o644)); err != nil {
		return err
	}
	host, err := b.lab.AddHost(context.Background(), lab.HostConfig{Name: "storm", Address: netip.PrefixFrom(netip.MustParseAddr(stormServer), 24)})
	if err != nil {
		return err
	}
	if _, err := real.Nginx(context.Background(), host, tree, "access_log "+s.log+";"); err != nil {
		return err
	}
	config := lab.SampleDHCP()
	config.Fixed, config.First, config.Last = nil, netip.MustParseAddr("192.168.1.110"), netip.MustParseAddr("192.168.1.250")
	dnsmasq, err := real.Dnsmasq(context.Background(), b.lab.Servers, config, tree)
	if err != nil {
		return err
	}
	defer dnsmasq.Stop()
	for _, wire := range []string{"no limit", "1 Gbit/s"} {
		if wire != "no limit" {
			if err := host.Run(exec.Command("tc", strings.Fields("qdisc add dev "+lab.HostInterface+" root tbf rate 1gbit burst 256k latency 50ms")...)); err != nil {
				return fmt.Errorf("a wire of %s: %w", wire, err)
			}
		}
		for _, guests := range storms {
			for _, cache := range []bool{false, true} {
				if err := s.row(out, wire, guests, cache); err != nil {
					fmt.Fprintf(out, "| %d | %s | failed: %v |\n", guests, wire, err)
				}
			}
		}
	}
	return nil
}

// row is one line of the table.
func (s *storm) row(out io.Writer, wire string, guests int, cache bool) error {
	curls, err := s.all(guests, func(_ int, dir string) *exec.Cmd {
		return exec.Command("curl", "-sSf", "-Z", "-o", filepath.Join(dir, "kernel"), "http://"+stormServer+"/"+stormKernel, "-o", filepath.Join(dir, "ramdisk"), "http://"+stormServer+"/"+stormInitrd)
	})
	if err != nil {
		return fmt.Errorf("curl: %w", err)
	}
	if err := os.Truncate(s.log, 0); err != nil {
		return err
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
	log, err := os.ReadFile(s.log)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "| %d | %s | %s | %d | %.2f | %.2f | %.2f | %.3f | %.0f | %d |\n", guests, wire, with, ours.good, ours.wall, curls.wall, ours.wall/curls.wall, ours.cpu/float64(guests), ours.memory, bytes.Count(log, []byte("\n")))
	return nil
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
				err = fmt.Errorf("%w: %s", failed, lastLine(said.String()))
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
