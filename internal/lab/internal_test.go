package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

func TestRemedy(t *testing.T) {
	tests := []struct {
		name    string
		errno   syscall.Errno
		sysctls map[string]int
		want    string // part of the remedy
	}{
		{"Debian's switch", unix.EPERM, map[string]int{"kernel.unprivileged_userns_clone": 0}, "kernel.unprivileged_userns_clone=1"},
		{"Ubuntu's switch", unix.EPERM, map[string]int{"kernel.apparmor_restrict_unprivileged_userns": 1, "kernel.unprivileged_userns_clone": 1}, "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"Ubuntu's switch, at a mount", unix.EACCES, map[string]int{"kernel.apparmor_restrict_unprivileged_userns": 1}, "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"no user namespaces", unix.ENOSPC, map[string]int{"user.max_user_namespaces": 0}, "user.max_user_namespaces=10000"},
		{"too many", unix.ENOSPC, map[string]int{"user.max_user_namespaces": 100}, "too deeply nested"},
		{"not built in", unix.EINVAL, nil, "built without"},
		{"container", unix.EPERM, nil, "--privileged"},
	}
	for _, test := range tests {
		got := remedy(test.errno, func(name string) (int, bool) {
			v, ok := test.sysctls[name]
			return v, ok
		})
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: remedy %q does not have %q", test.name, got, test.want)
		}
	}
}

func TestNamespaceError(t *testing.T) {
	err := namespaceError(&os.PathError{Op: "fork/exec", Path: "/proc/self/exe", Err: unix.EPERM})
	var refused *NamespaceError
	if !errors.As(err, &refused) || !errors.Is(err, unix.EPERM) || refused.Remedy == "" {
		t.Errorf("got %#v", err)
	}
	for _, err := range []error{os.ErrClosed, unix.ENOMEM} {
		if err := namespaceError(err); errors.As(err, &refused) {
			t.Errorf("%v is not about permission", err)
		}
	}
}

func TestDHCPAnswer(t *testing.T) {
	known := net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}
	other := net.HardwareAddr{0x00, 0x16, 0x3e, 0, 0, 1}
	second := net.HardwareAddr{0x00, 0x16, 0x3e, 0, 0, 2}
	third := net.HardwareAddr{0x00, 0x16, 0x3e, 0, 0, 3}
	config := SampleDHCP()
	// .166 is the server's own, so there are two to give.
	config.First, config.Last = netip.MustParseAddr("192.168.1.165"), netip.MustParseAddr("192.168.1.167")
	config.Options = []dhcpv4.Option{dhcpv4.OptBootFileName("other.0")}
	server := &dhcpServer{DHCP: config, subnet: ServersAddress, leases: make(map[string]netip.Addr)}

	request := func(mac net.HardwareAddr, kind dhcpv4.MessageType, modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
		t.Helper()
		m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(kind)}, modifiers...)...)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	option := func(o dhcpv4.Option) dhcpv4.Modifier { return dhcpv4.WithOption(o) }
	ip := net.ParseIP
	const discover, offer, req, ack, nak = dhcpv4.MessageTypeDiscover, dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeRequest, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak

	// One after the other: a lease stays.
	tests := []struct {
		name    string
		request *dhcpv4.DHCPv4
		kind    dhcpv4.MessageType // none for no answer
		address string
	}{
		{"fixed", request(known, discover), offer, "192.168.1.199"},
		{"first of the range", request(other, discover), offer, "192.168.1.165"},
		{"the next one", request(second, discover), offer, "192.168.1.167"},
		{"the same again", request(other, discover), offer, "192.168.1.165"},
		{"range used up", request(third, discover), 0, ""},
		{"took the offer", request(known, req, option(dhcpv4.OptServerIdentifier(ip("192.168.1.166"))), option(dhcpv4.OptRequestedIPAddress(ip("192.168.1.199")))), ack, "192.168.1.199"},
		{"took another's offer", request(known, req, option(dhcpv4.OptServerIdentifier(ip("192.168.1.2"))), option(dhcpv4.OptRequestedIPAddress(ip("192.168.1.199")))), 0, ""},
		{"wants what is not its", request(known, req, option(dhcpv4.OptRequestedIPAddress(ip("192.168.1.198")))), nak, "0.0.0.0"},
		{"has none to want", request(third, req, option(dhcpv4.OptRequestedIPAddress(ip("192.168.1.198")))), nak, "0.0.0.0"},
		{"renews", request(known, req, dhcpv4.WithClientIP(ip("192.168.1.199"))), ack, "192.168.1.199"},
		{"asks for options only", request(known, dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(ip("192.168.1.50"))), ack, "0.0.0.0"},
		{"releases", request(known, dhcpv4.MessageTypeRelease), 0, ""},
	}
	for _, test := range tests {
		answer := server.answer(test.request)
		if answer == nil {
			if test.kind != 0 {
				t.Errorf("%s: no answer", test.name)
			}
			continue
		}
		if answer.MessageType() != test.kind || answer.YourIPAddr.String() != test.address {
			t.Errorf("%s: %s of %s, want %s of %s", test.name, answer.MessageType(), answer.YourIPAddr, test.kind, test.address)
		}
		if answer.TransactionID != test.request.TransactionID {
			t.Errorf("%s: transaction ID changed", test.name)
		}
		file, number67 := "pxelinux.0", "other.0"
		if test.kind == nak {
			file, number67 = "", ""
		}
		if answer.BootFileName != file || answer.BootFileNameOption() != number67 {
			t.Errorf("%s: boot files %q, %q, want %q, %q", test.name, answer.BootFileName, answer.BootFileNameOption(), file, number67)
		}
	}
	reply := request(known, discover)
	reply.OpCode = dhcpv4.OpcodeBootReply
	if server.answer(reply) != nil {
		t.Error("answers an answer")
	}
}

// TestSampleTree pins the bytes: figures and checksums of runs can be compared.
func TestSampleTree(t *testing.T) {
	dir := t.TempDir()
	if err := SampleTree(dir); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, name := range []string{"pxelinux.cfg/01-00-16-3e-72-79-e3", SampleKernel, SampleInitrd} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		got[name] = hex.EncodeToString(sum[:8])
	}
	want := map[string]string{
		"pxelinux.cfg/01-00-16-3e-72-79-e3": "9a81d2cf5428682f",
		SampleKernel:                        "0e7646cea391a7f6",
		SampleInitrd:                        "cb1204ff881d8d34",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("SHA-256 (-want +got):\n%s", diff)
	}
}

func TestRequestString(t *testing.T) {
	r := Request{Service: "tftp", Asked: "vmlinuz", Result: "sent", Bytes: 42,
		MAC: net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}, Address: netip.MustParseAddr("192.168.1.5")}
	if got, want := r.String(), "tftp vmlinuz from 00:16:3e:01:02:03 (192.168.1.5): sent 42 bytes"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
