package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/dns/dnsmessage"
)

const (
	vif       = "mac=" + lab.SampleMAC + ",bridge=xenbr0"
	howtoArgs = "BOOT_IMAGE=el5u4_x86_xen_install/vmlinuz initrd=el5u4_x86_xen_install/initrd.img"
)

// servers are the DHCP and TFTP servers of Debian, and our own, with the
// howto's configuration.
var servers = map[string]func(context.Context, *lab.Host, string) error{
	"embedded": func(_ context.Context, h *lab.Host, tree string) error {
		if err := h.ServeDHCP(lab.SampleDHCP()); err != nil {
			return err
		}
		return h.ServeTFTP(tree)
	},
	"dnsmasq": func(ctx context.Context, h *lab.Host, tree string) error {
		_, err := real.Dnsmasq(ctx, h, lab.SampleDHCP(), tree)
		return err
	},
	"dhcpd and tftpd-hpa": func(ctx context.Context, h *lab.Host, tree string) error {
		if _, err := real.DHCPD(ctx, h, lab.SampleDHCP()); err != nil {
			return err
		}
		_, err := real.TFTPD(ctx, h, tree)
		return err
	},
	"kea and atftpd": func(ctx context.Context, h *lab.Host, tree string) error {
		if _, err := real.Kea(ctx, h, lab.SampleDHCP()); err != nil {
			return err
		}
		_, err := real.ATFTPD(ctx, h, tree)
		return err
	},
}

// The howto's guest, as libxl calls a bootloader, on a bridge where dom0 has
// no address.
func TestHowto(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			labtest.Check(t, start(t.Context(), l.Servers, tree))
			for _, format := range []string{"simple0", ""} {
				dir := t.TempDir()
				file := filepath.Join(t.TempDir(), "bootloader.7.out")
				labtest.Check(t, os.WriteFile(file, nil, 0o600)) // libxl makes it
				args := []string{"--output=" + file}
				if format != "" {
					args = append(args, "--output-format="+format)
				}
				o := gopxeboot(t, append(args, "--output-directory="+dir, vif, "/dev/null")...)
				if o.Code != 0 || o.Stdout != "" {
					t.Fatalf("%+v", o)
				}
				kernel, ramdisk := results(t, dir)
				want := fmt.Sprintf("kernel %s\x00ramdisk %s\x00args %s\x00", kernel, ramdisk, howtoArgs)
				if format == "" {
					want = fmt.Sprintf("linux (kernel '%s')(ramdisk '%s')(args '%s')", kernel, ramdisk, howtoArgs)
				}
				answer, err := os.ReadFile(file)
				labtest.Check(t, err)
				equal(t, "the answer", string(answer), want)
				sameFile(t, kernel, filepath.Join(tree, lab.SampleKernel))
				sameFile(t, ramdisk, filepath.Join(tree, lab.SampleInitrd))
				for _, f := range []string{kernel, ramdisk} {
					if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
						t.Errorf("%s: %v %v", f, info.Mode(), err)
					}
				}
				contains(t, o.Stderr, "gopxeboot: dhcp: 192.168.1.199/24 from 192.168.1.166", "boot file pxelinux.0",
					"gopxeboot: config: tftp://192.168.1.166/pxelinux.cfg/01-00-16-3e-72-79-e3", "gopxeboot: kernel: ", "gopxeboot: initrd: ")
			}
		})
	}
}

// results are the two files in the output directory.
func results(t *testing.T, dir string) (kernel, ramdisk string) {
	t.Helper()
	for _, name := range entries(t, dir) {
		switch {
		case strings.HasPrefix(name, "kernel.") && kernel == "":
			kernel = filepath.Join(dir, name)
		case strings.HasPrefix(name, "ramdisk.") && ramdisk == "":
			ramdisk = filepath.Join(dir, name)
		default:
			t.Errorf("%s holds %s", dir, name)
		}
	}
	if kernel == "" || ramdisk == "" {
		t.Fatalf("%s holds %v", dir, entries(t, dir))
	}
	return kernel, ramdisk
}

// The servers see the guest, not dom0: its MAC and its address.
func TestActsAsGuest(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	if o := gopxeboot(t, "--output-directory="+t.TempDir(), vif); o.Code != 0 {
		t.Fatalf("%+v", o)
	}
	for _, r := range l.Requests() {
		if r.MAC.String() != lab.SampleMAC || r.Address != lab.SampleAddress {
			t.Errorf("the server was asked by %s %s: %s", r.MAC, r.Address, r)
		}
	}
	if len(l.Requests()) < 5 {
		t.Errorf("the server was asked for %v", l.Requests())
	}
}

// --net dom0 needs no port of its own: DHCP as the guest on the bridge,
// downloads from dom0's address.
func TestNetDom0(t *testing.T) {
	dom0 := netip.MustParsePrefix("192.168.1.1/24")
	l := labtest.New(t, lab.Config{Dom0: dom0})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	before := links(t)
	dir := t.TempDir()
	if o := gopxeboot(t, "--net=dom0", "--output-directory="+dir, vif); o.Code != 0 {
		t.Fatalf("%+v", o)
	}
	results(t, dir)
	for _, r := range l.Requests() {
		want := lab.SampleAddress
		if r.Service == "tftp" {
			want = dom0.Addr()
		}
		if r.Address != want {
			t.Errorf("the server was asked by %s: %s", r.Address, r)
		}
	}
	equal(t, "interfaces", links(t), before)
}

func links(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, l := range labtest.Links(t) {
		names = append(names, l.Attrs().Name)
	}
	return names
}

// Everything that can be wrong ends with its exit code and one line that says
// what was asked of whom and what to try, and leaves nothing.
func TestBadInput(t *testing.T) {
	good := servers["embedded"]
	dhcp := func(change func(*lab.DHCP)) func(context.Context, *lab.Host, string) error {
		return func(_ context.Context, h *lab.Host, tree string) error {
			config := lab.SampleDHCP()
			change(&config)
			if err := h.ServeDHCP(config); err != nil {
				return err
			}
			return h.ServeTFTP(tree)
		}
	}
	config := func(text string) func(string) error {
		return func(tree string) error {
			return os.WriteFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), []byte(text), 0o644)
		}
	}
	for _, test := range []struct {
		name    string
		servers func(context.Context, *lab.Host, string) error
		tree    func(string) error
		args    []string
		code    int
		says    []string
	}{
		{name: "no DHCP answer", servers: func(context.Context, *lab.Host, string) error { return nil },
			args: []string{"--timeout=5"}, code: 3, says: []string{"dhcp: ", lab.SampleMAC, "xenbr0", "DHCP server"}},
		{name: "DHCP only for others", servers: dhcp(func(d *lab.DHCP) { d.Fixed = nil }),
			args: []string{"--timeout=5"}, code: 3, says: []string{"dhcp: ", lab.SampleMAC}},
		{name: "no time for a DHCP answer", servers: func(context.Context, *lab.Host, string) error { return nil },
			args: []string{"--timeout=1"}, code: 8, says: []string{"time for the whole boot is over", "DHCP server", "--timeout"}},
		{name: "no next-server", servers: dhcp(func(d *lab.DHCP) { d.NextServer = netip.Addr{} }), code: 0},
		{name: "no boot file", servers: dhcp(func(d *lab.DHCP) { d.BootFile = "" }),
			code: 3, says: []string{"dhcp: 192.168.1.166", "no boot file", "--bootfile"}},
		{name: "no boot file, but --bootfile", servers: dhcp(func(d *lab.DHCP) { d.BootFile = "" }), args: []string{"--bootfile=pxelinux.0"}, code: 0},
		{name: "TFTP server dead", servers: func(_ context.Context, h *lab.Host, _ string) error { return h.ServeDHCP(lab.SampleDHCP()) },
			code: 4, says: []string{"config: ", "192.168.1.166", "01-00-16-3e-72-79-e3", "TFTP server"}},
		{name: "TFTP server is nowhere", servers: dhcp(func(d *lab.DHCP) { d.NextServer = netip.MustParseAddr("192.168.1.9") }),
			code: 4, says: []string{"config: ", "192.168.1.9"}},
		{name: "no config", tree: func(tree string) error { return os.RemoveAll(filepath.Join(tree, "pxelinux.cfg")) },
			code: 4, says: []string{"config: ", "pxelinux.cfg/01-00-16-3e-72-79-e3", "pxelinux.cfg/default"}},
		{name: "label unknown", args: []string{"--label=nolabel"}, code: 5, says: []string{"boot: ", "nolabel", "linux"}},
		{name: "nothing bootable", tree: config("default hdt\nlabel hdt\n com32 hdt.c32\n"), code: 5, says: []string{"boot: ", "hdt"}},
		{name: "kernel missing", tree: func(tree string) error { return os.Remove(filepath.Join(tree, lab.SampleKernel)) },
			code: 6, says: []string{"kernel: ", "192.168.1.166", lab.SampleKernel, "not found"}},
		{name: "initrd missing", tree: func(tree string) error { return os.Remove(filepath.Join(tree, lab.SampleInitrd)) },
			code: 6, says: []string{"initrd: ", "192.168.1.166", lab.SampleInitrd, "not found"}},
		{name: "initrd empty", tree: func(tree string) error { return os.WriteFile(filepath.Join(tree, lab.SampleInitrd), nil, 0o644) },
			code: 6, says: []string{"initrd: ", lab.SampleInitrd, "empty"}},
		{name: "kernel too big", args: []string{"--max-kernel=1M"}, code: 6, says: []string{"kernel: ", "--max-kernel"}},
		{name: "command line too long", tree: config("default linux\nlabel linux\n kernel " + lab.SampleKernel + "\n append " + strings.Repeat("x=y ", 300) + "\n"),
			code: 5, says: []string{"1023"}},
		{name: "MAC missing", args: []string{"--no-vif", "bridge=xenbr0"}, code: 2, says: []string{"MAC", `bootloader_args = [ "mac=`}},
		{name: "MAC malformed", args: []string{"--no-vif", "mac=00:16:3e:72:79,bridge=xenbr0"}, code: 2, says: []string{"00:16:3e:72:79"}},
		{name: "bridge missing", args: []string{"--bridge=xenbr9"}, code: 2, says: []string{"xenbr9", "there are: xenbr0", "bridge=NAME"}},
		{name: "unknown option", args: []string{"--outptu=x"}, code: 2, says: []string{"usage: ", "outptu"}},
		{name: "unknown format", args: []string{"--output-format=xml"}, code: 2, says: []string{"xml", "simple0"}},
		{name: "output directory not writable", args: []string{"--output-directory=/proc/nowhere"}, code: 7, says: []string{"output: ", "/proc/nowhere"}},
		{name: "deadline", servers: func(_ context.Context, h *lab.Host, tree string) error {
			_, err := slowTFTP(h, tree)
			return err
		}, args: []string{"--timeout=2"}, code: 8, says: []string{"time", "--timeout"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			if test.tree != nil {
				labtest.Check(t, test.tree(tree))
			}
			if test.servers == nil {
				test.servers = good
			}
			labtest.Check(t, test.servers(t.Context(), l.Servers, tree))
			before := links(t)
			dir := t.TempDir()
			answer := filepath.Join(t.TempDir(), "answer")
			labtest.Check(t, os.WriteFile(answer, nil, 0o600))
			args := []string{"--output=" + answer, "--output-format=simple0", "--output-directory=" + dir, vif}
			if len(test.args) > 0 && test.args[0] == "--no-vif" {
				args, test.args = args[:3], test.args[1:]
			}
			if len(test.args) > 0 && strings.HasPrefix(test.args[0], "--output-") { // the first one counts
				args = append(test.args, args...)
			} else {
				args = append(args, test.args...)
			}
			begin := time.Now()
			o := gopxeboot(t, args...)
			if o.Code != test.code {
				t.Errorf("exit code %d, want %d: %s", o.Code, test.code, o.Stderr)
			}
			lines := strings.Split(strings.TrimSuffix(o.Stderr, "\n"), "\n")
			why, try := failure(lines)
			contains(t, why, test.says...)
			t.Logf("%v %s", time.Since(begin).Round(time.Millisecond), why)
			for _, line := range lines {
				if !strings.HasPrefix(line, "gopxeboot: ") {
					t.Errorf("a line without our name: %q", line)
				}
			}
			if test.code == 0 {
				return
			}
			if test.code != 2 {
				wantHint(t, why)
			}
			aboutLab, where := test.code != 2 && test.code != 7, vif
			if test.name == "bridge missing" { // the default one is looked at
				aboutLab, where = true, "mac="+lab.SampleMAC
			}
			if aboutLab != (try != "") || aboutLab && !strings.HasSuffix(try, " "+where) {
				t.Errorf("what to try: %q", try)
			}
			equal(t, "left in the output directory", entries(t, dir), []string(nil))
			text, err := os.ReadFile(answer)
			labtest.Check(t, err)
			equal(t, "the answer", string(text), "")
			equal(t, "interfaces", links(t), before)
		})
	}
}

// slowTFTP serves DHCP, the configuration, and kernel and initrd so slowly
// that nothing ever ends. The channel gets a value when the first block of a
// kernel or initrd is on its way.
func slowTFTP(h *lab.Host, tree string) (<-chan struct{}, error) {
	if err := h.ServeDHCP(lab.SampleDHCP()); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"))
	if err != nil {
		return nil, err
	}
	var conn *net.UDPConn
	if err := h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 69})
		return err
	}); err != nil {
		return nil, err
	}
	underWay := make(chan struct{}, 100)
	go func() {
		packet := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			request := string(packet[:n])
			switch {
			case !strings.HasPrefix(request, "\x00\x01"): // an acknowledgement
			case strings.Contains(request, "pxelinux.cfg/01-"):
				conn.WriteToUDPAddrPort(append([]byte{0, 3, 0, 1}, config...), from)
			case strings.Contains(request, "pxelinux.cfg/"):
				conn.WriteToUDPAddrPort([]byte("\x00\x05\x00\x01File not found\x00"), from)
			default: // the first block, and never another
				conn.WriteToUDPAddrPort(append([]byte{0, 3, 0, 1}, make([]byte, 512)...), from)
				select {
				case underWay <- struct{}{}:
				default:
				}
			}
		}
	}()
	return underWay, nil
}

// What the toolstack sends to stop us ends everything at once, and leaves
// nothing.
func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			underWay, err := slowTFTP(l.Servers, sampleTree(t))
			labtest.Check(t, err)
			before := links(t)
			dir, answer := t.TempDir(), filepath.Join(t.TempDir(), "answer")
			cmd := command(t.Context(), "--output="+answer, "--output-directory="+dir, vif)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			labtest.Check(t, cmd.Start())
			<-underWay
			begin := time.Now()
			labtest.Check(t, cmd.Process.Signal(signal))
			cmd.Wait()
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if signal != syscall.SIGKILL {
				if code := cmd.ProcessState.ExitCode(); code != 8 {
					t.Errorf("exit code %d: %s", code, stderr.String())
				}
				contains(t, stderr.String(), signal.String())
			}
			equal(t, "left in the output directory", entries(t, dir), []string(nil))
			eventually(t, "interfaces", func() string { return strings.Join(links(t), " ") }, strings.Join(before, " "))
		})
	}
}

// A connection that is open at the end keeps the guest's namespace alive, for
// minutes if the server is gone. It must not keep the port.
func TestServerVanishes(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	var web net.Listener
	labtest.Check(t, l.Servers.Do(func() (err error) {
		web, err = net.Listen("tcp", lab.ServersAddress.Addr().String()+":80")
		return err
	}))
	defer web.Close()
	cables := labtest.Ports(t, l)
	go http.Serve(web, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		io.WriteString(w, "a part of it")
		w.(http.Flusher).Flush()
		for _, port := range cables { // nothing arrives any more
			netlink.LinkSetDown(port)
		}
	}))
	before := links(t)
	kernel := "--kernel=http://" + lab.ServersAddress.Addr().String() + "/vmlinuz"
	if o := gopxeboot(t, "--timeout=1s", "--output-directory="+t.TempDir(), kernel, vif); o.Code != 8 {
		t.Errorf("%+v", o)
	}
	equal(t, "interfaces", links(t), before)
}

// eventually waits for a value that the kernel takes a moment for.
func eventually(t *testing.T, what string, get func() string, want string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); get() != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s: got %q, want %q", what, get(), want)
			return
		}
	}
}

// xend makes a FIFO, and waits for whoever opens it, also when the arguments
// are nonsense.
func TestFIFO(t *testing.T) {
	for _, args := range [][]string{{vif, "/dev/null"}, {"--nonsense"}} {
		l := labtest.New(t, lab.Config{})
		labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
		fifo := filepath.Join(t.TempDir(), "xenbl.1")
		labtest.Check(t, syscall.Mkfifo(fifo, 0o600))
		cmd := command(t.Context(), append([]string{"--output=" + fifo, "--output-directory=" + t.TempDir()}, args...)...)
		labtest.Check(t, cmd.Start())
		text, err := os.ReadFile(fifo) // blocks until somebody opens it
		labtest.Check(t, err)
		cmd.Wait()
		if args[0] == vif {
			contains(t, string(text), "linux (kernel ", howtoArgs)
		} else {
			equal(t, "the answer", string(text), "")
		}
		labtest.Check(t, l.Close())
	}
}

// Nothing opens the other end of the FIFO: that takes no longer than a boot may,
// and what is wrong besides does not change it.
func TestFIFOWithoutReader(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "xenbl.1")
	labtest.Check(t, syscall.Mkfifo(fifo, 0o600))
	for _, args := range [][]string{{"--timeout=100ms", vif}, {vif, "/dev/null", "-timeout", "0.1"}, {"--timeout=100ms --nonsense", "--timeout=no time"}} {
		begin := time.Now()
		if o := gopxeboot(t, append(args, "--output="+fifo)...); o.Code != 8 || !strings.Contains(o.Stderr, "no process reads "+fifo) {
			t.Errorf("%q: %+v", args, o)
		}
		if took := time.Since(begin); took > defaultTimeout/2 {
			t.Errorf("%q: it took %v", args, took)
		}
	}
}

// The toolstack deletes what it was given; two guests at once must not get
// each other's.
func TestParallel(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	config := lab.SampleDHCP()
	config.First, config.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr("192.168.1.99")
	tree := sampleTree(t)
	labtest.Check(t, l.Servers.ServeDHCP(config))
	labtest.Check(t, l.Servers.ServeTFTP(tree))
	labtest.Check(t, os.Rename(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), filepath.Join(tree, "pxelinux.cfg/default")))
	dir := t.TempDir()
	const guests = 8
	done := make(chan outcome, guests)
	for i := range guests {
		go func() {
			done <- gopxeboot(t, "--output-format=simple0", "--output-directory="+dir, fmt.Sprintf("mac=00:16:3e:00:00:%02x", i))
		}()
	}
	for range guests {
		if o := <-done; o.Code != 0 {
			t.Errorf("%+v", o)
		}
	}
	if n := len(entries(t, dir)); n != 2*guests {
		t.Errorf("%d files for %d guests", n, guests)
	}
}

// A full file system is told before the download when the server says how
// large a file is, with what is needed and what is there.
func TestNoSpace(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	dir := t.TempDir()
	labtest.Check(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4M"))
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	o := gopxeboot(t, "--output-format=simple0", "--output-directory="+dir, vif)
	if o.Code != 7 || o.Stdout != "" {
		t.Errorf("%+v", o)
	}
	contains(t, o.Stderr, "MiB needed", "make room in "+dir+", or")
	equal(t, "left", entries(t, dir), []string(nil))
}

func TestOutputNotWritable(t *testing.T) {
	o := gopxeboot(t, "--output=/proc/nowhere/answer", "--output-directory="+t.TempDir(), vif)
	if o.Code != 7 || o.Stdout != "" {
		t.Errorf("%+v", o)
	}
	contains(t, o.Stderr, "gopxeboot: output: open /proc/nowhere/answer")
}

// LOCALBOOT starts what the guest's disk has, by way of pygrub.
func TestLocalBoot(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), []byte("default disk\nlabel disk\n localboot 0\n"), 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	dir := t.TempDir()
	pygrub := filepath.Join(t.TempDir(), "pygrub")
	labtest.Check(t, os.WriteFile(pygrub, []byte(`#!/bin/sh
for a; do case $a in --output=*) out=${a#*=};; --output-directory=*) dir=${a#*=};; esac; done
echo kernel >"${dir}boot_kernel.x"
printf 'kernel %sboot_kernel.x\0args root=/dev/xvda1 of %s\0\0' "$dir" "$a" >"$out"
`), 0o755))
	o := gopxeboot(t, "--output-format=simple0", "--output-directory="+dir, "--pygrub="+pygrub, vif, "/dev/vg/guest")
	result, err := xenread.Simple0(o.Stdout)
	labtest.Check(t, err)
	equal(t, "args", result.Args, "root=/dev/xvda1 of /dev/vg/guest")
	equal(t, "files", entries(t, dir), []string{filepath.Base(result.Kernel)})
	equal(t, "the kernel", readFile(t, result.Kernel), "kernel\n")

	o = gopxeboot(t, "plan", vif)
	contains(t, o.Stdout, `"outcome": "localboot"`)
	if o.Code != 0 {
		t.Errorf("%+v", o)
	}
}

// Pygrub's files have names while it works. They go when we are killed, with
// the directories that we made (XSA-160 is about files that pygrub left).
func TestKilledInPygrub(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "default disk\nlabel disk\n localboot 0\n")
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	base := t.TempDir()
	pygrub, underWay := filepath.Join(t.TempDir(), "pygrub"), filepath.Join(t.TempDir(), "under way")
	labtest.Check(t, syscall.Mkfifo(underWay, 0o600))
	labtest.Check(t, os.WriteFile(pygrub, []byte(`#!/bin/sh
for a; do case $a in --output-directory=*) dir=${a#*=};; esac; done
mkdir "${dir}28672-chroot"
echo kernel >"${dir}boot_kernel.x"
echo >"`+underWay+`"
while :; do echo kernel >"${dir}boot_kernel.$((n += 1))"; done
`), 0o755))
	cmd := command(t.Context(), "--output-directory="+filepath.Join(base, "xen", "pygrub"), "--pygrub="+pygrub, vif, "/dev/vg/guest")
	labtest.Check(t, cmd.Start())
	readFile(t, underWay) // blocks until pygrub has made its files
	labtest.Check(t, cmd.Process.Kill())
	cmd.Wait()
	eventually(t, "left", func() string { return strings.Join(entries(t, base), " ") }, "")
}

// What the toolstack was told to boot stands before what the label says.
func TestOverride(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "other.krn"), kernelOf("another"), 0o644))
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "other.img"), []byte("another initrd"), 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	dir := t.TempDir()
	o := gopxeboot(t, "--kernel=other.krn", "--ramdisk=tftp://192.168.1.166/other.img", "--args=from xl", "--output-directory="+dir, vif)
	if o.Code != 0 {
		t.Fatalf("%+v", o)
	}
	contains(t, o.Stdout, howtoArgs+" from xl")
	kernel, ramdisk := results(t, dir)
	sameFile(t, kernel, filepath.Join(tree, "other.krn"))
	sameFile(t, ramdisk, filepath.Join(tree, "other.img"))
}

// A lease whose router is its own address boots, as a machine with it would.
func TestRouterOfItsOwn(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	config := lab.SampleDHCP()
	config.Router = lab.SampleAddress
	labtest.Check(t, l.Servers.ServeDHCP(config))
	labtest.Check(t, l.Servers.ServeTFTP(sampleTree(t)))
	o := gopxeboot(t, "--output-directory="+t.TempDir(), vif)
	if o.Code != 0 {
		t.Errorf("%+v", o)
	}
	contains(t, o.Stderr, "warning: dhcp: the router 192.168.1.199 can't be used", "only 192.168.1.0/24 is reached")
}

// A configuration can't make dom0 fetch for a guest what only dom0 reaches,
// whichever way it names the server, unless whoever runs this program does.
func TestServersOfDom0(t *testing.T) {
	const own, other = "192.168.1.1", "10.9.9.1"
	for _, test := range []struct {
		name, initrd string
		next         string // next-server; "" is the lab's
		args         []string
		code         int
		says         []string
	}{
		{name: "loopback", initrd: "http://127.0.0.1/initrd.img", code: 6, says: []string{"is no address of a server"}},
		{name: "loopback by TFTP", initrd: "tftp://127.0.0.1/x", code: 6, says: []string{"is no address of a server"}},
		{name: "no address", initrd: "http://0.0.0.0/x", code: 6, says: []string{"is no address of a server"}},
		{name: "another address", initrd: "http://" + other + "/initrd.img", code: 6, says: []string{"10.9.9.1 is dom0's own address", "--server 10.9.9.1"}},
		{name: "the bridge's address", initrd: "http://" + own + "/initrd.img", code: 6, says: []string{"192.168.1.1 is dom0's own address", "--server 192.168.1.1"}},
		{name: "another network", initrd: "http://10.9.9.5/initrd.img", code: 6, says: []string{"10.9.9.5 is in a network of dom0's", "--server 10.9.9.5"}},
		{name: "a redirect", initrd: "http://192.168.1.166/elsewhere", code: 6, says: []string{"10.9.9.1 is dom0's own address"}},
		{name: "a name", initrd: "http://mgmt.example/initrd.img", code: 6, says: []string{"10.9.9.1 is dom0's own address"}},
		{name: "next-server", next: other, initrd: "x", code: 4, says: []string{"10.9.9.1 is dom0's own address", "--server 10.9.9.1"}},
		{name: "next-server on the bridge", next: own, initrd: "http://" + own + "/" + lab.SampleInitrd},
		{name: "named", args: []string{"--server=" + other}, initrd: "http://" + other + "/" + lab.SampleInitrd},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix(own + "/24")})
			mgmt := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "mgmt"}, PeerName: "mgmt-far"}
			labtest.Check(t, netlink.LinkAdd(mgmt))
			t.Cleanup(func() { netlink.LinkDel(mgmt) })
			labtest.Check(t, netlink.LinkSetUp(mgmt))
			address, err := netlink.ParseAddr(other + "/24")
			labtest.Check(t, err)
			labtest.Check(t, netlink.AddrAdd(mgmt, address))

			tree := sampleTree(t)
			labtest.Check(t, os.WriteFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"),
				[]byte("default a\nlabel a\n kernel "+lab.SampleKernel+"\n initrd "+test.initrd+"\n"), 0o644))
			labtest.Check(t, l.Dom0.ServeHTTP(tree))
			labtest.Check(t, l.Dom0.ServeTFTP(tree))
			labtest.Check(t, l.Servers.ServeTFTP(tree))
			config := lab.SampleDHCP()
			config.Options = append(config.Options, dhcpv4.OptDNS(net.IP{192, 168, 1, 166}))
			if test.next != "" {
				config.NextServer = netip.MustParseAddr(test.next)
			}
			labtest.Check(t, l.Servers.ServeDHCP(config))
			serveMgmt(t, l.Servers, other)

			o := gopxeboot(t, append([]string{"--net=dom0", "--timeout=30", "--output-directory=" + t.TempDir(), vif}, test.args...)...)
			if o.Code != test.code || test.code != 0 && o.Stdout != "" {
				t.Errorf("%+v", o)
			}
			contains(t, o.Stderr, test.says...)
		})
	}
}

// serveMgmt makes a host lead to that address, by HTTP and by DNS.
func serveMgmt(t *testing.T, h *lab.Host, address string) {
	t.Helper()
	var web net.Listener
	var names net.PacketConn
	labtest.Check(t, h.Do(func() (err error) {
		if web, err = net.Listen("tcp4", ":80"); err == nil {
			names, err = net.ListenPacket("udp4", ":53")
		}
		return err
	}))
	t.Cleanup(func() { web.Close(); names.Close() })
	go http.Serve(web, http.RedirectHandler("http://"+address+"/initrd.img", http.StatusFound))
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := names.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response = true
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
			}}
			if answer, err := m.Pack(); err == nil {
				names.WriteTo(answer, from)
			}
		}
	}()
}
