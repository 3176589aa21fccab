package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/tftpget"
)

// servers each have a host of their own.
var servers = []struct {
	name  string
	start func(ctx context.Context, h *lab.Host, tree string) (*real.Process, error)
}{
	{"tftpd-hpa", real.TFTPD},
	{"atftpd", func(_ context.Context, h *lab.Host, tree string) (*real.Process, error) {
		// Its own log costs it a third of its speed.
		cmd, err := real.Program("atftpd", "--daemon", "--no-fork", "--user", "root", "--group", "root", "--logfile", "-", "--verbose=3", tree)
		if err != nil {
			return nil, err
		}
		return real.Start(h, cmd)
	}},
	{"dnsmasq", func(ctx context.Context, h *lab.Host, tree string) (*real.Process, error) {
		return real.Dnsmasq(ctx, h, lab.DHCP{}, tree) // has no addresses to give
	}},
	{byRFC, func(_ context.Context, h *lab.Host, tree string) (*real.Process, error) {
		return real.Start(h, exec.Command("/proc/self/exe", "serve", tree))
	}},
	{"vsftpd", real.VSFTPD},
	{"nginx", func(ctx context.Context, h *lab.Host, tree string) (*real.Process, error) {
		return real.Nginx(ctx, h, tree)
	}},
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
		return real.Program("tftp", "-m", "binary", j.server.String(), "-c", "get", j.name, j.out)
	}}
	atftp = client{"atftp", func(j job) (*exec.Cmd, error) {
		var args []string
		if j.block > 0 {
			args = append(args, "--option", fmt.Sprintf("blksize %d", j.block))
		}
		if j.window > 1 {
			args = append(args, "--option", fmt.Sprintf("windowsize %d", j.window))
		}
		return real.Program("atftp", append(args, "-g", "-r", j.name, "-l", j.out, j.server.String())...)
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
