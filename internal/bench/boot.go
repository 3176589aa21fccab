package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// A boot's files: below the tree that all servers have.
const (
	bootKernel = "boot/vmlinuz"
	bootInitrd = "boot/initrd.img"
	bootUUID   = "8d3f8a2e-5b0c-4f6e-9f57-2f6d6a2f1d55"
)

// bootNames are what PXELINUX asks for, one after the other; only the last
// is there.
func bootNames() []string {
	mac, _ := net.ParseMAC(lab.SampleMAC)
	names := []string{bootUUID, "01-" + strings.ReplaceAll(mac.String(), ":", "-")}
	for address := strings.ToUpper(hex.EncodeToString(lab.SampleAddress.AsSlice())); address != ""; address = address[:len(address)-1] {
		names = append(names, address)
	}
	return append(names, "default")
}

// bootTree writes a kernel of 8 MiB, an initrd of 64 MiB and a configuration.
func bootTree(tree string) error {
	noise := make([]byte, 64*mib)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(noise)
	kernel := fake.BzImage(fake.Vmlinux(elf.EM_X86_64, noise[:8*mib], fake.Notes(true, true), elf.SHT_NULL))
	copy(noise, "\x1f\x8b\x08") // gzip
	return errors.Join(
		os.MkdirAll(filepath.Join(tree, "boot"), 0o755),
		os.MkdirAll(filepath.Join(tree, "pxelinux.cfg"), 0o755),
		os.WriteFile(filepath.Join(tree, bootKernel), kernel, 0o644),
		os.WriteFile(filepath.Join(tree, bootInitrd), noise, 0o644),
		os.WriteFile(filepath.Join(tree, "pxelinux.cfg/default"), []byte("default linux\nlabel linux\n kernel "+bootKernel+"\n append initrd="+bootInitrd+"\n"), 0o644),
	)
}

// wholeBoot compares a boot with the same questions to the same servers, asked
// one after the other by a program that does nothing else.
func (b *bench) wholeBoot(out io.Writer, program string, rounds int) error {
	fmt.Fprint(out, "\n## A whole boot\n\nDHCP, the search of all 11 names, a kernel of 8 MiB and an initrd of 64 MiB: gopxeboot as xl runs it, against the sum of what the\n"+
		"servers need: the same questions from a program that does nothing but ask them.\n\n"+
		"| TFTP server | gopxeboot, median s | least, most | servers, median s | of that DHCP | search | kernel | initrd | gopxeboot / servers |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	if err := bootTree(filepath.Join(b.dir, "tree")); err != nil {
		return err
	}
	for _, server := range []string{"tftpd-hpa", "atftpd", "dnsmasq"} {
		if err := b.bootFrom(out, program, server, rounds); err != nil {
			fmt.Fprintf(out, "| %s | failed: %v |\n", server, err)
		}
	}
	return nil
}

func (b *bench) bootFrom(out io.Writer, program, server string, rounds int) error {
	if err := b.lacks[server]; err != nil {
		return err
	}
	config := lab.SampleDHCP()
	config.NextServer = b.hosts[server]
	dnsmasq, err := real.Dnsmasq(context.Background(), b.lab.Servers, config, "")
	if err != nil {
		return err
	}
	defer dnsmasq.Stop()
	var ours []float64
	var theirs [5][]float64 // the sum, and its parts
	for range rounds {
		seconds, err := b.boot(program)
		if err != nil {
			return err
		}
		ours = append(ours, seconds)
		parts, err := b.ask(b.hosts[server])
		if err != nil {
			return err
		}
		sum := 0.0
		for i, seconds := range parts {
			theirs[i+1] = append(theirs[i+1], seconds)
			sum += seconds
		}
		theirs[0] = append(theirs[0], sum)
	}
	fmt.Fprintf(out, "| %s | %.3f | %.3f, %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.2f |\n", server, median(ours), slices.Min(ours), slices.Max(ours),
		median(theirs[0]), median(theirs[1]), median(theirs[2]), median(theirs[3]), median(theirs[4]), median(ours)/median(theirs[0]))
	return nil
}

// boot is one boot as xl runs it, from start to exit.
func (b *bench) boot(program string) (seconds float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "boot-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	answer := filepath.Join(dir, "answer")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-q", "--uuid="+bootUUID, "--output="+answer, "--output-format=simple0", "--output-directory="+dir,
		"mac="+lab.SampleMAC+",bridge="+b.lab.Bridge())
	var said bytes.Buffer
	cmd.Stderr = &said
	begin := time.Now()
	err = b.lab.Dom0.Run(cmd)
	seconds = time.Since(begin).Seconds()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(said.String()))
	}
	text, err := os.ReadFile(answer)
	if err != nil {
		return 0, err
	}
	for item := range strings.SplitSeq(string(text), "\x00") {
		kind, path, _ := strings.Cut(item, " ")
		want := map[string]string{"kernel": bootKernel, "ramdisk": bootInitrd}[kind]
		if want == "" {
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		if good, _ := os.ReadFile(filepath.Join(b.dir, "tree", want)); !bytes.Equal(got, good) {
			return 0, fmt.Errorf("the %s is wrong", kind)
		}
	}
	return seconds, nil
}

// ask is what a boot needs from the servers, and nothing else: a process of
// its own on a host of its own, which prints how long each part took.
func (b *bench) ask(server netip.Addr) (parts []float64, err error) {
	cmd := exec.Command("/proc/self/exe", "ask", server.String(), filepath.Join(b.dir, "asked"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := b.asking.Run(cmd); err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(said.String()))
	}
	for word := range strings.FieldsSeq(said.String()) {
		seconds, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, err
		}
		parts = append(parts, seconds)
	}
	if len(parts) != 4 {
		return nil, fmt.Errorf("got %q", said.String())
	}
	return parts, nil
}

// ask is that process.
func ask(server, file string) error {
	ctx := context.Background()
	begin := time.Now()
	part := func() {
		fmt.Printf("%.6f\n", time.Since(begin).Seconds())
		begin = time.Now()
	}
	if err := askDHCP(ctx); err != nil {
		return err
	}
	part()
	c := fetch.Client{}
	for i, name := range bootNames() {
		_, err := c.ReadAll(ctx, fmt.Sprintf("tftp://%s/pxelinux.cfg/%s", server, name), mib)
		if found := err == nil; found != (i == 10) {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	part()
	for _, name := range []string{bootKernel, bootInitrd} {
		if err := download(ctx, &c, fmt.Sprintf("tftp://%s/%s", server, name), file); err != nil {
			return err
		}
		part()
	}
	return os.Remove(file)
}

// askDHCP is DISCOVER, OFFER, REQUEST and ACK.
func askDHCP(ctx context.Context) error {
	mac, err := net.ParseMAC(lab.SampleMAC)
	if err != nil {
		return err
	}
	client, err := nclient4.New(lab.HostInterface, nclient4.WithHWAddr(mac))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Request(ctx, dhcpv4.WithBroadcast(true))
	return err
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	return s[len(s)/2]
}
