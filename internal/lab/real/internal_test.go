package real

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab"
)

func TestServerConfigs(t *testing.T) {
	config := lab.SampleDHCP()
	const dhcpd = `subnet 192.168.1.0 netmask 255.255.255.0 {
	option routers 192.168.1.166;
	next-server 192.168.1.166;
	filename "pxelinux.0";
}
host guest0 {
	hardware ethernet 00:16:3e:72:79:e3;
	fixed-address 192.168.1.199;
}
`
	if diff := cmp.Diff(dhcpd, dhcpdConf(config, lab.ServersAddress)); diff != "" {
		t.Errorf("dhcpd.conf (-want +got):\n%s", diff)
	}
	dnsmasq := []string{
		"--dhcp-host=00:16:3e:72:79:e3,192.168.1.199",
		"--dhcp-range=192.168.1.0,static,255.255.255.0,1h",
		"--dhcp-option=option:router,192.168.1.166",
		"--dhcp-boot=pxelinux.0,,192.168.1.166",
	}
	if diff := cmp.Diff(dnsmasq, dnsmasqArgs(config, lab.ServersAddress)); diff != "" {
		t.Errorf("dnsmasq (-want +got):\n%s", diff)
	}
	config.First, config.Last = netip.MustParseAddr("192.168.1.10"), netip.MustParseAddr("192.168.1.20")
	kea, err := keaMembers(config, lab.ServersAddress)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"pool": "192.168.1.10 - 192.168.1.20"`, `"hw-address": "00:16:3e:72:79:e3"`, `"boot-file-name": "pxelinux.0"`, `"next-server": "192.168.1.166"`} {
		if !strings.Contains(kea, want) {
			t.Errorf("Kea has no %s:\n%s", want, kea)
		}
	}
	if got := dhcpdConf(config, lab.ServersAddress); !strings.Contains(got, "\trange 192.168.1.10 192.168.1.20;\n") {
		t.Errorf("dhcpd.conf has no range:\n%s", got)
	}
	if got := dnsmasqArgs(config, lab.ServersAddress)[1]; got != "--dhcp-range=192.168.1.10,192.168.1.20,255.255.255.0,1h" {
		t.Errorf("dnsmasq has %s", got)
	}
}

func TestFindProgram(t *testing.T) {
	path, servers := t.TempDir(), t.TempDir()
	write := func(name string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return name
	}
	atftpd := write(filepath.Join(path, "atftpd"))
	if err := os.Symlink("atftpd", filepath.Join(path, "in.tftpd")); err != nil {
		t.Fatal(err)
	}
	tftpd := write(filepath.Join(servers, "tftpd-hpa/usr/sbin/in.tftpd"))
	libraries := filepath.Join(servers, "tftpd-hpa/usr/lib/x86_64-linux-gnu")
	write(filepath.Join(libraries, "libwrap.so.0"))

	tests := []struct{ name, want, library string }{
		{"atftpd", atftpd, ""},
		{"in.tftpd", tftpd, libraries}, // and not atftpd's link
	}
	for _, test := range tests {
		cmd, err := findProgram(test.name, []string{"-x"}, path, servers)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff([]string{test.want, "-x"}, cmd.Args); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if environment := strings.Join(cmd.Env, "\n"); !strings.Contains(environment, test.library) {
			t.Errorf("%s: environment lacks %s:\n%s", test.name, test.library, environment)
		}
	}
	for name, pkg := range map[string]string{"dhcpd": "isc-dhcp-server", "nosuchthing": ""} {
		_, err := findProgram(name, nil, path, servers)
		var missing *MissingError
		if !errors.As(err, &missing) || missing.Program != name || missing.Package != pkg {
			t.Errorf("%s: %v", name, err)
		}
		if pkg != "" && !strings.Contains(err.Error(), pkg) {
			t.Errorf("%v does not name the package", err)
		}
	}
}
