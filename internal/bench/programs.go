package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/tftpget"
)

// servers each have a host of their own.
var servers = []struct {
	name  string
	start func(ctx context.Context, h *lab.Host, tree string) error
}{
	{"tftpd-hpa", func(ctx context.Context, h *lab.Host, tree string) error {
		_, err := real.TFTPD(ctx, h, tree)
		return err
	}},
	{"atftpd", func(ctx context.Context, h *lab.Host, tree string) error {
		// Its own log costs it a third of its speed.
		cmd, err := real.Program("atftpd", "--daemon", "--no-fork", "--user", "root", "--group", "root", "--logfile", "-", "--verbose=3", tree)
		if err != nil {
			return err
		}
		_, err = h.Start(cmd)
		return err
	}},
	{"dnsmasq", func(ctx context.Context, h *lab.Host, tree string) error {
		_, err := real.Dnsmasq(ctx, h, lab.DHCP{}, tree) // gives nobody an address
		return err
	}},
	{"a server by RFC 7440", func(_ context.Context, h *lab.Host, tree string) error {
		_, err := h.Start(exec.Command("/proc/self/exe", "serve", tree))
		return err
	}},
	{"vsftpd", func(ctx context.Context, h *lab.Host, tree string) error {
		_, err := real.VSFTPD(ctx, h, tree)
		return err
	}},
	{"nginx", func(ctx context.Context, h *lab.Host, tree string) error {
		_, err := real.Nginx(ctx, h, tree)
		return err
	}},
}

// fetched is a program that .ci/servers put into a package's directory, or
// this machine's own.
func fetched(pkg, name string, args ...string) (*exec.Cmd, error) {
	if cmd, err := real.Program(name, args...); err == nil {
		return cmd, nil
	}
	servers := os.Getenv("GOPXEBOOT_SERVERS")
	if servers == "" {
		servers = "build/servers"
	}
	root, err := filepath.Abs(filepath.Join(servers, pkg))
	if err != nil {
		return nil, err
	}
	for _, bin := range []string{"usr/bin", "usr/sbin"} {
		file := filepath.Join(root, bin, name)
		if _, err := os.Stat(file); err == nil {
			cmd := exec.Command(file, args...)
			libs, _ := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-*"))
			cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
			return cmd, nil
		}
	}
	return nil, fmt.Errorf("%s is not there: .ci/servers fetches it, from Debian's package %s", name, pkg)
}

// job is one download.
type job struct {
	server netip.Addr
	scheme string
	name   string
	out    string
	block  int // blksize to ask for; 0 is the client's own choice
	window int
}

func (j job) url() string {
	return fmt.Sprintf("%s://%s/%s", j.scheme, j.server, j.name)
}

// client is a program that downloads.
type client struct {
	name    string
	command func(j job) (*exec.Cmd, error)
}

var (
	ours = client{"gopxeboot", func(j job) (*exec.Cmd, error) {
		return exec.Command("/proc/self/exe", "get", j.url(), j.out, strconv.Itoa(j.block), strconv.Itoa(j.window)), nil
	}}
	pinned = client{"pin/tftp", func(j job) (*exec.Cmd, error) {
		return exec.Command("/proc/self/exe", "get", j.url(), j.out, strconv.Itoa(j.block), "1"), nil
	}}
	curl = client{"curl", func(j job) (*exec.Cmd, error) {
		args := []string{"-sS", "-o", j.out, j.url()}
		if j.block > 0 {
			args = append(args, "--tftp-blksize", strconv.Itoa(j.block))
		}
		return real.Program("curl", args...)
	}}
	hpa = client{"tftp-hpa", func(j job) (*exec.Cmd, error) { // knows no options
		return fetched("tftp-hpa", "tftp", "-m", "binary", j.server.String(), "-c", "get", j.name, j.out)
	}}
	atftp = client{"atftp", func(j job) (*exec.Cmd, error) {
		var args []string
		if j.block > 0 {
			args = append(args, "--option", fmt.Sprintf("blksize %d", j.block))
		}
		if j.window > 1 {
			args = append(args, "--option", fmt.Sprintf("windowsize %d", j.window))
		}
		return fetched("atftp", "atftp", append(args, "-g", "-r", j.name, "-l", j.out, j.server.String())...)
	}}
)

// get is our own client: what `gopxeboot get` does as dom0, without the rest
// of the program.
func get(args []string) error {
	block, _ := strconv.Atoi(args[2])
	window, _ := strconv.Atoi(args[3])
	c := fetch.Client{TFTP: tftpget.Client{BlockSize: block, WindowSize: window}}
	return download(context.Background(), &c, args[0], args[1])
}

func download(ctx context.Context, c *fetch.Client, url, file string) error {
	f, err := c.Open(ctx, url)
	if err != nil {
		return err
	}
	defer f.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = f.WriteTo(out)
	return err
}
