package lab_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// TestRealServers starts each of Debian's servers, and has it do its work.
func TestRealServers(t *testing.T) {
	tree := sampleTree(t)
	tests := []struct {
		name       string
		dhcp, tftp bool
		start      func(context.Context, *lab.Host) (*real.Process, error)
		log        string // part of what it prints about the guest
	}{
		{
			name: "dnsmasq", dhcp: true, tftp: true,
			start: func(ctx context.Context, h *lab.Host) (*real.Process, error) {
				return real.Dnsmasq(ctx, h, lab.SampleDHCP(), tree)
			},
			log: "DHCPACK(eth0) 192.168.1.199 " + lab.SampleMAC,
		},
		{
			name: "dhcpd", dhcp: true,
			start: func(ctx context.Context, h *lab.Host) (*real.Process, error) {
				return real.DHCPD(ctx, h, lab.SampleDHCP())
			},
			log: "DHCPACK on 192.168.1.199 to " + lab.SampleMAC,
		},
		{
			name: "kea-dhcp4", dhcp: true,
			start: func(ctx context.Context, h *lab.Host) (*real.Process, error) {
				return real.Kea(ctx, h, lab.SampleDHCP())
			},
			log: lab.SampleMAC + "], cid=[no info], tid=",
		},
		{
			name: "in.tftpd", tftp: true,
			start: func(ctx context.Context, h *lab.Host) (*real.Process, error) { return real.TFTPD(ctx, h, tree) },
		},
		{
			name: "atftpd", tftp: true,
			start: func(ctx context.Context, h *lab.Host) (*real.Process, error) { return real.ATFTPD(ctx, h, tree) },
			log:   "Serving " + lab.SampleKernel + " to 192.168.1.199",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			server, err := test.start(ctx, l.Servers)
			labtest.Check(t, err)
			guest := addGuest(t, l)
			if test.dhcp {
				checkOffer(t, lease(t, guest))
			}
			if test.tftp {
				got, err := fetch(t, guest, lab.SampleKernel)
				if err != nil {
					t.Error(err)
				}
				if !bytes.Equal(got, readFile(t, filepath.Join(tree, lab.SampleKernel))) {
					t.Error("not the server's kernel")
				}
			}
			server.Stop()
			if log := server.Log(); !strings.Contains(log, test.log) {
				t.Errorf("its log does not have %q:\n%s", test.log, log)
			}
		})
	}
}

func TestServerThatFails(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	_, err := real.Dnsmasq(t.Context(), l.Servers, lab.SampleDHCP(), "", "--no-such-option")
	if err == nil {
		t.Fatal("dnsmasq started with a wrong option")
	}
	// What it printed must be in the error: its log is not there to be read.
	if !strings.Contains(err.Error(), "bad command line options") {
		labtest.Check(t, err)
	}
}

func TestStartWhatIsNotThere(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	if _, err := real.Start(l.Servers, exec.Command("/no/such/server")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Start returned %v", err)
	}
	if err := l.Servers.Run(exec.Command("/no/such/program")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Run returned %v", err)
	}
}
