package dhcpclient

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What we send, next to what iPXE's ROM of Debian 12 sent in QEMU, field by
// field and option by option. The golden file is the list of differences, and
// these are the reasons:
//
//   - secs: iPXE keeps a state in it, ours are seconds, as relays want them.
//   - flags: iPXE takes unicast answers; on a bridge they may go elsewhere.
//   - 77 and 175: sites know iPXE by them, and answer with an iPXE script.
//   - 55: an Intel ROM's list, which is longer, and PXELINUX's own options.
func TestIPXE(t *testing.T) {
	if *update {
		captureIPXE(t)
		if os.Getenv(inside) == "" {
			return // it was done in the inner process
		}
	}
	id, err := newIdentity(guestMAC, guestUUID, ROM{})
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, c := range []struct {
		capture string
		m       message
	}{
		{"ipxe-discover.hex", message{kind: dhcpv4.MessageTypeDiscover}},
		{"ipxe-request.hex", message{kind: dhcpv4.MessageTypeRequest, server: ipAddr("10.77.0.1"), address: ipAddr("10.77.0.42")}},
	} {
		theirs := lan.Undump(t, filepath.Join("testdata", c.capture))
		copy(c.m.xid[:], theirs[inXID:])
		ours := id.broadcast(c.m)
		fmt.Fprintf(&table, "%s: iPXE | gopxeboot\n", c.m.kind)
		compareFrames(t, &table, theirs, ours)
	}
	goldenText(t, "ipxe-differences.txt", table.String())
}

// compareFrames lists what differs, and the order of the options.
func compareFrames(t *testing.T, table *strings.Builder, theirs, ours []byte) {
	t.Helper()
	const ip, udp = wire.EthernetHeader, wire.EthernetHeader + wire.IPv4Header
	for _, field := range []struct {
		name     string
		from, to int
	}{
		{"Ethernet destination", 0, 6}, {"Ethernet source", 6, 12}, {"Ethernet type", 12, 14},
		{"IP version and header length", ip, ip + 1}, {"IP type of service", ip + 1, ip + 2}, {"IP identification", ip + 4, ip + 6}, {"IP fragment", ip + 6, ip + 8}, {"IP time to live", ip + 8, ip + 9},
		{"IP protocol", ip + 9, ip + 10}, {"IP addresses", ip + 12, ip + 20}, {"UDP ports", udp, udp + 4},
		{"op", inMessage, inMessage + 1}, {"htype and hlen", inMessage + 1, inMessage + 3}, {"hops", inMessage + 3, inMessage + 4},
		{"xid", inXID, inXID + 4}, {"secs", inXID + 4, inXID + 6}, {"flags", inXID + 6, inXID + 8},
		{"ciaddr, yiaddr, siaddr and giaddr", inXID + 8, inCHAddr}, {"chaddr", inCHAddr, inCHAddr + 16},
		{"sname", inMessage + snameOffset, inMessage + snameEnd}, {"file", inMessage + fileOffset, inMessage + fileEnd}, {"cookie", inMessage + cookieOffset, inMessage + wire.DHCPHeader},
	} {
		if a, b := theirs[field.from:field.to], ours[field.from:field.to]; !bytes.Equal(a, b) {
			fmt.Fprintf(table, "  %s: %x | %x\n", field.name, a, b)
		}
	}
	a, b := optionsOf(t, theirs[inMessage:]), optionsOf(t, ours[inMessage:])
	fmt.Fprintf(table, "  order of options: %s | %s\n", codes(a), codes(b))
	values := func(list []string) map[string]string {
		m := make(map[string]string)
		for _, o := range list {
			code, value, _ := strings.Cut(o, "=")
			m[code] = value
		}
		return m
	}
	inA, inB := values(a), values(b)
	for code := range 256 {
		n := fmt.Sprint(code)
		switch a, b := inA[n], inB[n]; {
		case a != "" && b == "":
			fmt.Fprintf(table, "  option %s: %s | none\n", n, a)
		case a == "" && b != "":
			fmt.Fprintf(table, "  option %s: none | %s\n", n, b)
		case a != b:
			fmt.Fprintf(table, "  option %s: %s | %s\n", n, a, b)
		}
	}
	fmt.Fprintf(table, "  bytes: %d | %d\n", len(theirs), len(ours))
}

func codes(list []string) string {
	var numbers []string
	for _, o := range list {
		code, _, _ := strings.Cut(o, "=")
		numbers = append(numbers, code)
	}
	return strings.Join(numbers, " ")
}

// goldenText compares text with testdata/name.
func goldenText(t *testing.T, name, text string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// captureIPXE boots a machine whose network card has iPXE's ROM and keeps its
// first DISCOVER and REQUEST.
func captureIPXE(t *testing.T) {
	t.Helper()
	labtest.Program(t, "qemu-system-x86_64") // and Debian's ipxe-qemu
	labtest.Program(t, "dnsmasq")
	if !ownNetwork(t) {
		return
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = "srv0"
	tap := &netlink.Tuntap{LinkAttrs: attributes, Mode: netlink.TUNTAP_MODE_TAP}
	err := errors.Join(netlink.LinkAdd(tap),
		netlink.AddrAdd(tap, &netlink.Addr{IPNet: &net.IPNet{IP: lan.IP("10.77.0.1"), Mask: net.CIDRMask(24, 32)}}))
	if err != nil {
		t.Fatal(err)
	}
	ifi, err := net.InterfaceByName(up(t, "srv0").Attrs().Name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_IP, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := dnsmasq(t, "--dhcp-range=10.77.0.40,10.77.0.50,255.255.255.0,1h", "--dhcp-host="+guestMAC.String()+",10.77.0.42", "--dhcp-boot=pxelinux.0")
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-boot", "n",
		"-uuid", guestUUID, "-netdev", "tap,id=net,ifname=srv0,script=no,downscript=no", "-device", "e1000,netdev=net,mac="+guestMAC.String())
	qemu.Stderr = os.Stderr
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	defer qemu.Wait()
	defer qemu.Process.Kill()
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	names := map[dhcpv4.MessageType]string{dhcpv4.MessageTypeDiscover: "ipxe-discover.hex", dhcpv4.MessageTypeRequest: "ipxe-request.hex"}
	for b := make([]byte, maxFrame); len(names) > 0; {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, m := lan.ParseRequest(b[:n]); m != nil && names[m.MessageType()] != "" {
			dump := []byte(hex.Dump(b[:n]))
			if err := os.WriteFile(filepath.Join("testdata", names[m.MessageType()]), dump, 0o644); err != nil {
				t.Fatal(err)
			}
			delete(names, m.MessageType())
		}
	}
}
