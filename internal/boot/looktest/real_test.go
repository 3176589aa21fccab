package looktest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// What dnsmasq does, whose answers are not those of the embedded servers.
func TestDnsmasq(t *testing.T) {
	serve := func(d lab.DHCP, args ...string) func(*testing.T, *lab.Lab) {
		return func(t *testing.T, l *lab.Lab) {
			dir := t.TempDir()
			labtest.Check(t, lab.SampleTree(dir))
			_, err := l.Servers.Dnsmasq(t.Context(), d, dir, args...)
			labtest.Check(t, err)
		}
	}
	sample := lab.SampleDHCP()
	bare := lab.DHCP{Fixed: sample.Fixed, Router: sample.Router}
	withDom0 := lab.Config{Dom0: netip.MustParsePrefix("192.168.1.10/24")}
	for _, b := range []broken{
		{name: "nothing is broken", hosts: serve(sample), code: check.Fine, status: check.OK},
		{name: "pool empty and authoritative", hosts: serve(lab.DHCP{NextServer: sample.NextServer, BootFile: "pxelinux.0"}, "--dhcp-authoritative"), code: check.PoolEmpty, status: check.Fail},
		{name: "pool empty and dom0 in the network", lab: withDom0, hosts: serve(lab.DHCP{NextServer: sample.NextServer, BootFile: "pxelinux.0"}), code: check.PoolEmpty, status: check.Fail},
		{name: "EFI only", hosts: serve(bare, "--dhcp-match=set:efi,option:client-arch,7", "--dhcp-ignore=tag:!efi"), code: check.OtherArchOnly, status: check.Fail, says: "--arch 7"},
		{name: "boot file for EFI only", hosts: serve(bare, "--dhcp-match=set:efi,option:client-arch,7", "--dhcp-boot=tag:efi,bootx64.efi"), code: check.OtherArchOnly, status: check.Fail, says: "bootx64.efi"},
		{name: "not for PXE", hosts: serve(bare, "--dhcp-vendorclass=set:pxe,PXEClient", "--dhcp-ignore=tag:pxe"), code: check.OnlyWithout60, status: check.Fail},
		{name: "MAC ignored", hosts: serve(lab.DHCP{First: addr("192.168.1.50"), Last: addr("192.168.1.60")}, "--dhcp-host="+guestMAC+",ignore"), code: check.MACNotServed, status: check.Fail},
		{name: "proxy only", hosts: func(t *testing.T, l *lab.Lab) {
			cmd, err := lab.Program("dnsmasq", "--keep-in-foreground", "--user=root", "--group=root", "--conf-file=/dev/null", "--port=0", "--log-facility=-",
				"--pid-file=", "--dhcp-leasefile="+t.TempDir()+"/leases", "--dhcp-range=192.168.1.0,proxy", "--pxe-service=x86PC,Boot,pxelinux")
			labtest.Check(t, err)
			_, err = l.Servers.Start(cmd)
			labtest.Check(t, err)
			time.Sleep(300 * time.Millisecond)
		}, code: check.ProxyOnly, status: check.Fail},
		{name: "no boot file", hosts: serve(bare), code: check.NoFilename, status: check.Fail},
	} {
		b.quiet = "dhcp tftp"
		b.look = func(l *probe.Look, _ *boot.Request) { l.Wait = time.Second }
		t.Run(b.name, func(t *testing.T) { b.run(t) })
	}
}
