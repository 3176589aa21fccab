package leases

import (
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

func TestRelay(t *testing.T) {
	for name, serve := range map[string]func(*testing.T, *lab.Host) *real.Process{
		"dnsmasq": func(t *testing.T, far *lab.Host) *real.Process {
			return labtest.Dnsmasq(t, far, "--dhcp-range=192.168.1.0,static,255.255.255.0,1h", fixed, "--dhcp-boot=pxelinux.0",
				"--dhcp-option=option:router,192.168.1.166")
		},
		"dhcpd": func(t *testing.T, far *lab.Host) *real.Process {
			return labtest.DHCPD(t, far, "eth1", `
subnet 10.9.0.0 netmask 255.255.255.0 { }
subnet 192.168.1.0 netmask 255.255.255.0 {
	range 192.168.1.199 192.168.1.199; filename "pxelinux.0"; next-server 10.9.0.2; option routers 192.168.1.166;
}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			relay, far := l.Servers, labtest.FarHost(t, l)
			server := serve(t, far)
			labtest.Until(t, relay, "Sending on   Socket/fallback", "dhcrelay", "-4", "-d", "--no-pid", "-id", "eth0", "-iu", "eth1", "10.9.0.2")
			check(t, l, bios, "10.9.0.2: 192.168.1.199/24 10.9.0.2 pxelinux.0")
			if log := server.Log(); !strings.Contains(log, "192.168.1.166") && !strings.Contains(log, "192.168.1.199") {
				t.Errorf("the server saw nobody:\n%s", log)
			}
		})
	}
}

// A boot server behind a router: ARP for the router, not for it.
func TestBootServerBehindRouter(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	relay, far := l.Servers, labtest.FarHost(t, l)
	// What a boot server says on port 4011 is dnsmasq's of the far network; its
	// menu comes from the near server, as option 43.
	labtest.Dnsmasq(t, far, "--dhcp-range=192.168.1.0,proxy,255.255.255.0", "--dhcp-range=10.9.0.0,proxy", "--pxe-prompt=x,0", "--pxe-service=x86PC,Far,pxelinux", "--pxe-service=x86PC,Disk,0")
	labtest.Dnsmasq(t, relay, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-option=option:router,192.168.1.166",
		"--dhcp-option-force=60,PXEClient",
		"--dhcp-option-force=43,06:01:03:0a:04:00:50:58:45:08:07:80:00:01:0a:09:00:02:09:06:80:00:03:46:61:72:ff")
	got, err := lease(t, client(t, l, ownPort))
	if err != nil {
		t.Fatal(err)
	}
	if want := given + "10.9.0.2 pxelinux.0"; says(got) != want || got.MenuItem != "Far" {
		t.Errorf("lease %s, menu %q, want %s", says(got), got.MenuItem, want)
	}
}
