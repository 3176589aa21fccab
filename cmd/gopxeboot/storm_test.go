package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// TestStorm has many guests start at once: all boot, each with an address of its
// own. `make bench` does so with 128, and counts files.
func TestStorm(t *testing.T) {
	const guests = 24
	config := lab.SampleDHCP()
	config.Fixed, config.First, config.Last = nil, netip.MustParseAddr("192.168.1.110"), netip.MustParseAddr("192.168.1.160")
	for _, c := range []struct {
		name  string
		start func(t *testing.T, h *lab.Host, tree string) *real.Process // the DHCP server
	}{
		// It says nothing to who is one too many, of whom there are fewer usually.
		{"dnsmasq", func(t *testing.T, h *lab.Host, tree string) *real.Process {
			return labtest.Started(t, h)(real.Dnsmasq(t.Context(), h, config, tree, "--tftp-max=8"))
		}},
		{"tftpd-hpa and ISC dhcpd", func(t *testing.T, h *lab.Host, tree string) *real.Process {
			labtest.Started(t, h)(real.TFTPD(t.Context(), h, tree))
			return labtest.Started(t, h)(real.DHCPD(t.Context(), h, config, "authoritative;"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			writeFile(t, filepath.Join(tree, "pxelinux.cfg/default"), "default linux\nlabel linux\n kernel vmlinuz\n initrd initrd.gz\n")
			writeFile(t, filepath.Join(tree, "vmlinuz"), string(kernelOf(strings.Repeat("x", 300_000))))
			writeFile(t, filepath.Join(tree, "initrd.gz"), "070701"+strings.Repeat("x", 2<<20))
			server := c.start(t, l.Servers, tree)
			var running sync.WaitGroup
			for i := range guests {
				dir := t.TempDir()
				running.Go(func() {
					o := gopxeboot(t, "--output-format=simple0", "--output-directory="+dir, fmt.Sprintf("mac=00:16:3e:aa:00:%02x,bridge=%s", i, l.Bridge()))
					if o.Code != 0 {
						t.Errorf("guest %d: exit %d: %s", i, o.Code, o.Stderr)
						return
					}
					k, ramdisk := results(t, dir)
					sameFile(t, k, filepath.Join(tree, "vmlinuz"))
					sameFile(t, ramdisk, filepath.Join(tree, "initrd.gz"))
				})
			}
			running.Wait()
			log, taken := server.Log(), map[string]bool{}
			for _, given := range regexp.MustCompile(`DHCPACK(?:\(\w+\)| on) (\S+)`).FindAllStringSubmatch(log, -1) {
				taken[given[1]] = true
			}
			equal(t, "addresses", len(taken), guests)
		})
	}
}
