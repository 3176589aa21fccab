package leases

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// What the servers see a machine as: their classes and tags.
var (
	bios     = dhcpclient.ROM{}
	uefi     = dhcpclient.ROM{Arch: 7}
	ipxe     = dhcpclient.ROM{UserClass: "iPXE"}
	ipxe3004 = dhcpclient.ROM{Options: map[uint8][]byte{77: []byte("\x04iPXE")}}
	with175  = dhcpclient.ROM{Options: map[uint8][]byte{175: {1, 1, 1}}}
	system   = dhcpclient.ROM{VendorClass: "anaconda"}
	named    = dhcpclient.ROM{ClientID: []byte("guest one")}
)

type serverCase struct {
	name string
	rom  dhcpclient.ROM
	want string
}

func run(t *testing.T, cases []serverCase, serve func(*testing.T, *lab.Host)) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			serve(t, l.Servers)
			check(t, l, c.rom, c.want)
		})
	}
}

const (
	given = "192.168.1.166: 192.168.1.199/24 "
	fixed = "--dhcp-host=" + lab.SampleMAC + ",192.168.1.199"
)

func TestDnsmasqTags(t *testing.T) {
	run(t, []serverCase{
		{"BIOS", bios, given + "192.168.1.166 pxelinux.0"},
		{"UEFI", uefi, given + "192.168.1.166 bootx64.efi"},
		{"iPXE by its user class", ipxe, given + "192.168.1.166 menu.ipxe"},
		{"iPXE by its user class as RFC 3004 wants it", ipxe3004, given + "192.168.1.166 menu.ipxe"},
		{"iPXE by its option 175", with175, given + "192.168.1.166 menu.ipxe"},
		{"no ROM", system, given + "192.168.1.166 none"},
		{"client identifier", named, "192.168.1.166: 192.168.1.77/24 192.168.1.166 pxelinux.0"},
	}, func(t *testing.T, h *lab.Host) {
		labtest.Dnsmasq(t, h, "--dhcp-range=192.168.1.100,192.168.1.120,1h", fixed, "--dhcp-host=id:guest one,192.168.1.77",
			"--dhcp-match=set:bios,option:client-arch,0", "--dhcp-match=set:efi,option:client-arch,7",
			"--dhcp-vendorclass=set:pxe,PXEClient", "--dhcp-userclass=set:ipxe,iPXE", "--dhcp-match=set:ipxe,175",
			"--dhcp-boot=tag:!ipxe,tag:pxe,tag:bios,pxelinux.0", "--dhcp-boot=tag:!ipxe,tag:pxe,tag:efi,bootx64.efi",
			"--dhcp-boot=tag:ipxe,menu.ipxe", "--dhcp-boot=tag:!pxe,none")
	})
}

func TestDnsmasq(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"plain", []string{"--dhcp-boot=pxelinux.0"}, given + "192.168.1.166 pxelinux.0"},
		{"dhcp-no-override", []string{"--dhcp-boot=pxelinux.0,,192.168.1.5", "--dhcp-no-override"}, given + "192.168.1.5 pxelinux.0"},
		{"pxe-service", []string{"--pxe-service=x86PC,Boot,pxelinux"}, given + "192.168.1.166 pxelinux.0"},
		{"pxe-service with a prompt, elsewhere", []string{"--pxe-prompt=Choose,3", "--pxe-service=x86PC,Boot,pxelinux,192.168.1.5", "--pxe-service=x86PC,Disk"}, given + "192.168.1.5 pxelinux.0"},
		{"pxe-service for other machines", []string{"--pxe-service=X86-64_EFI,Boot,bootx64.efi", "--dhcp-boot=pxelinux.0"}, given + "192.168.1.166 pxelinux.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			labtest.Dnsmasq(t, l.Servers, append([]string{"--dhcp-range=192.168.1.0,static,1h", fixed}, c.args...)...)
			check(t, l, bios, c.want)
		})
	}
}

// The address from one server, what to boot from another.
func TestProxy(t *testing.T) {
	for _, c := range []struct {
		name  string
		dhcp  []string // the address's server, more
		proxy []string
		want  string
		item  string
		local bool
	}{
		{name: "that knows nothing", proxy: nil, want: given + "192.168.1.166 "},
		{name: "boot file and server in the offer", proxy: []string{"--dhcp-boot=pxelinux.0,,192.168.1.5", "--pxe-service=x86PC,Boot,pxelinux,192.168.1.5"}, want: given + "192.168.1.5 pxelinux.0", item: "Boot"},
		{name: "one service", proxy: []string{"--pxe-service=x86PC,Boot,pxelinux"}, want: given + "192.168.1.167 pxelinux.0", item: "Boot"},
		{name: "one service of another server", proxy: []string{"--pxe-service=x86PC,Boot,pxelinux,192.168.1.166"}, want: given + "192.168.1.166 pxelinux.0", item: "Boot"},
		{name: "a menu", proxy: []string{"--pxe-prompt=Choose,3", "--pxe-service=x86PC,Linux,lpxelinux.0", "--pxe-service=x86PC,Disk"}, want: given + "192.168.1.167 lpxelinux.0", item: "Linux"},
		{name: "a menu that starts with the disk", proxy: []string{"--pxe-prompt=Choose,3", "--pxe-service=x86PC,Disk,0", "--pxe-service=x86PC,Linux,lpxelinux.0"}, want: given + "192.168.1.166 ", item: "Disk", local: true},
		{name: "before a boot file of the address's server", dhcp: []string{"--dhcp-boot=plain.0", "--dhcp-reply-delay=1"}, proxy: []string{"--pxe-service=x86PC,Boot,pxelinux"}, want: given + "192.168.1.167 pxelinux.0", item: "Boot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			second, err := l.AddHost(t.Context(), lab.HostConfig{Name: "proxy", Address: prefix("192.168.1.167/24")})
			labtest.Check(t, err)
			labtest.Dnsmasq(t, second, append([]string{"--dhcp-range=192.168.1.0,proxy"}, c.proxy...)...)
			labtest.Dnsmasq(t, l.Servers, append([]string{"--dhcp-range=192.168.1.0,static,1h", fixed}, c.dhcp...)...)
			for _, at := range both {
				got, err := lease(t, client(t, l, at))
				if err != nil {
					t.Fatal(err)
				}
				if says(got) != c.want || got.MenuItem != c.item || got.LocalBoot != c.local {
					t.Errorf("--net %s: lease %s, menu %q, local %v; want %s, %q, %v", at, says(got), got.MenuItem, got.LocalBoot, c.want, c.item, c.local)
				}
			}
		})
	}
}

// Two servers that both give addresses: the one that knows what to boot.
func TestTwoServers(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second string
		want          string
	}{
		{"the slow one knows", "--no-negcache", "--dhcp-boot=pxelinux.0", "192.168.1.167: 192.168.1.88/24 192.168.1.167 pxelinux.0"},
		{"both know", "--dhcp-boot=first.0", "--dhcp-boot=second.0", given + "192.168.1.166 first.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			second, err := l.AddHost(t.Context(), lab.HostConfig{Name: "second", Address: prefix("192.168.1.167/24")})
			labtest.Check(t, err)
			labtest.Dnsmasq(t, second, "--dhcp-range=192.168.1.0,static,1h", "--dhcp-host="+lab.SampleMAC+",192.168.1.88", "--dhcp-reply-delay=1", c.second)
			labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, c.first)
			check(t, l, bios, c.want)
		})
	}
}

// The classes of reference configurations for PXELINUX next to iPXE and UEFI.
func TestDHCPD(t *testing.T) {
	const classes = `
authoritative;
option arch code 93 = unsigned integer 16;
option magic code 208 = string;
option configfile code 209 = text;
option pathprefix code 210 = text;
class "pxeclients" {
	match if substring(option vendor-class-identifier, 0, 9) = "PXEClient";
	next-server 192.168.1.5;
	if exists user-class and option user-class = "iPXE" {
		filename "menu.ipxe";
	} elsif option arch = 00:07 {
		filename "bootx64.efi";
	} else {
		filename "pxelinux.0";
	}
}
subnet 192.168.1.0 netmask 255.255.255.0 { deny unknown-clients; }
host guest { hardware ethernet ` + lab.SampleMAC + `; fixed-address 192.168.1.199; }
`
	run(t, []serverCase{
		{"BIOS", bios, given + "192.168.1.5 pxelinux.0"},
		{"UEFI", uefi, given + "192.168.1.5 bootx64.efi"},
		{"iPXE", ipxe, given + "192.168.1.5 menu.ipxe"},
		// ISC compares the bytes: who writes RFC 3004's is not iPXE.
		{"iPXE as RFC 3004 wants it", ipxe3004, given + "192.168.1.5 pxelinux.0"},
		{"no ROM", system, given + "192.168.1.166 "},
	}, func(t *testing.T, h *lab.Host) { labtest.DHCPD(t, h, "eth0", classes) })
}

// Without next-server ISC dhcpd leaves siaddr empty, or has its own address
// there; and PXELINUX's options come only when they are asked for.
func TestDHCPDWithoutNextServer(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.DHCPD(t, l.Servers, "eth0", `
option configfile code 209 = text;
option pathprefix code 210 = text;
option reboottime code 211 = unsigned integer 32;
subnet 192.168.1.0 netmask 255.255.255.0 {
	range 192.168.1.199 192.168.1.199;
	filename "pxelinux.0";
	option configfile "configs/common";
	option pathprefix "/tftpboot/";
	option reboottime 30;
	option routers 192.168.1.166;
}`)
	check(t, l, bios, given+"192.168.1.166 pxelinux.0")
	got, err := lease(t, client(t, l, ownPort))
	if err != nil {
		t.Fatal(err)
	}
	if got.ConfigFile != "configs/common" || got.PathPrefix != "/tftpboot/" || got.RebootTime.Seconds() != 30 {
		t.Errorf("lease %+v", got)
	}
}

func TestKea(t *testing.T) {
	const subnet = `{"id": 1, "subnet": "192.168.1.0/24", "pools": [{"pool": "192.168.1.199 - 192.168.1.199"}]}`
	const classes = `, "client-classes": [
		{"name": "ipxe", "test": "option[77].hex == 'iPXE'", "boot-file-name": "menu.ipxe", "next-server": "192.168.1.5"},
		{"name": "bios", "test": "substring(option[60].hex,0,9) == 'PXEClient' and option[93].hex == 0x0000 and not option[175].exists and not member('ipxe')",
			"boot-file-name": "pxelinux.0", "next-server": "192.168.1.5"},
		{"name": "efi", "test": "option[93].hex == 0x0007", "boot-file-name": "bootx64.efi"}]`
	run(t, []serverCase{
		{"BIOS", bios, given + "192.168.1.5 pxelinux.0"},
		{"UEFI, without a next-server", uefi, given + "192.168.1.166 bootx64.efi"},
		{"iPXE", ipxe, given + "192.168.1.5 menu.ipxe"},
		{"iPXE by its option 175", with175, given + "192.168.1.166 "},
	}, func(t *testing.T, h *lab.Host) { labtest.Kea(t, h, `"subnet4": [`+subnet+`]`+classes) })
}

// Option 67 in place of the header's field, with bytes behind it that are no
// part of the name: some servers' administration tools write them.
func TestKeaOption67(t *testing.T) {
	for name, hex := range map[string]string{"NUL": "7078656c696e75782e3000", "0xff": "7078656c696e75782e30ff", "nothing": "7078656c696e75782e30"} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			labtest.Kea(t, l.Servers, `"subnet4": [{"id": 1, "subnet": "192.168.1.0/24", "pools": [{"pool": "192.168.1.199 - 192.168.1.199"}],
				"option-data": [{"code": 67, "csv-format": false, "data": "`+hex+`"}, {"name": "tftp-server-name", "data": "192.168.1.5"}]}]`)
			check(t, l, bios, given+"192.168.1.5 pxelinux.0")
		})
	}
}
