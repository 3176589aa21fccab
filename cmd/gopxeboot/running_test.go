package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// vifOf is what xenstore-ls -f prints of a domain's interface.
func vifOf(domid int, mac, bridge, state string) string {
	base := fmt.Sprintf("/local/domain/0/backend/vif/%d/0", domid)
	return fmt.Sprintf("%[1]s = \"\"\n%[1]s/state = %[2]q\n%[1]s/mac = %[3]q\n%[1]s/bridge = %[4]q\n", base, state, mac, bridge)
}

// xenstoreOf makes a xenstore that holds that, for so many times that it is
// asked; 0 is always.
func xenstoreOf(t *testing.T, vifs string, times int) {
	t.Helper()
	const dir = "/usr/local/sbin"
	labtest.Check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	labtest.Check(t, os.WriteFile(filepath.Join(dir, "vifs"), []byte(vifs), 0o644))
	script := "#!/bin/sh\n[ \"$*\" = '-f /local/domain/0/backend/vif' ] || exit 1\necho >>" + dir + "/asked\n"
	if times > 0 {
		script += fmt.Sprintf("[ $(wc -l <%s/asked) -le %d ] || exit 0\n", dir, times)
	}
	labtest.Check(t, os.WriteFile(filepath.Join(dir, "xenstore-ls"), []byte(script+"cat "+dir+"/vifs\n"), 0o755))
}

// A domain that has the guest's MAC on its bridge is waited for, as one that
// reboots leaves its vif for a moment. One that stays is named.
func TestBootOfRunningGuest(t *testing.T) {
	running := vifOf(5, lab.SampleMAC, "xenbr0", "4")
	for _, test := range []struct {
		name, vifs string
		times      int
		args       []string
		code       int
		says       []string
	}{
		{name: "reboots", vifs: running, times: 2, says: []string{"domain 5 has " + lab.SampleMAC + " on xenbr0 (vif5.0)", "--net guest on xenbr0"}},
		{name: "stays", vifs: running, code: 1, says: []string{"domain 5", "vif5.0", "xl destroy 5"}},
		{name: "stays, and time is over", vifs: running, args: []string{"--timeout=1"}, code: 8, says: []string{"vif5.0"}},
		{name: "stays, but --net guest", vifs: running, args: []string{"--net=guest"}, says: []string{"--net guest on xenbr0"}},
		{name: "another MAC", vifs: vifOf(5, "00:16:3e:00:00:01", "xenbr0", "4"), says: []string{"--net guest on xenbr0"}},
		{name: "another bridge", vifs: vifOf(5, lab.SampleMAC, "xenbr1", "4"), says: []string{"--net guest on xenbr0"}},
		{name: "closed, and gone", vifs: vifOf(5, lab.SampleMAC, "xenbr0", "6"), says: []string{"--net guest on xenbr0"}},
		{name: "the domain that is created", vifs: vifOf(7, lab.SampleMAC, "xenbr0", "1"), says: []string{"--net guest on xenbr0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
			xenstoreOf(t, test.vifs, test.times)
			output := filepath.Join(t.TempDir(), "bootloader.7.out")
			o := gopxeboot(t, append([]string{"-v", "--output=" + output, "--output-directory=" + t.TempDir(), vif}, test.args...)...)
			if o.Code != test.code {
				t.Fatalf("%+v", o)
			}
			contains(t, o.Stderr, test.says...)
		})
	}
}

// Who looks at a guest that runs takes nothing of its traffic: its connections
// go on, and it stays where the bridge knows it.
func TestLookAtRunningGuest(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	mac, err := net.ParseMAC(lab.SampleMAC)
	labtest.Check(t, err)
	running, err := l.AddHost(t.Context(), lab.HostConfig{Name: "the guest", MAC: mac, Address: netip.PrefixFrom(lab.SampleAddress, 24)})
	labtest.Check(t, err)
	xenstoreOf(t, vifOf(5, lab.SampleMAC, "xenbr0", "4"), 0)
	serveTCP(t, l.Servers, ":7777", func(conn net.Conn) { io.Copy(conn, conn) })
	var conn net.Conn
	labtest.Check(t, running.Do(func() (err error) {
		conn, err = net.Dial("tcp4", "192.168.1.166:7777")
		return err
	}))
	defer conn.Close()
	answers := bufio.NewReader(conn)
	alive := func(what string) {
		t.Helper()
		_, err := fmt.Fprintln(conn, what)
		labtest.Check(t, err)
		if line, err := answers.ReadString('\n'); err != nil || line != what+"\n" {
			t.Errorf("%s: the guest's connection answers %q, %v", what, line, err)
		}
	}
	const why = "network: dom0's own, with DHCP on xenbr0: domain 5 has 00:16:3e:72:79:e3 on xenbr0 (vif5.0): a port of our own would take its traffic"
	pcap := filepath.Join(t.TempDir(), "check.pcap")
	alive("before")
	ports := len(labtest.Ports(t, l))
	for _, argv := range [][]string{
		{"plan", vif},
		{"get", "-o", filepath.Join(t.TempDir(), "file"), vif, "tftp://192.168.1.166/" + lab.SampleKernel},
		{"check", "--wait=1", "--quick", "--pcap=" + pcap, vif},
	} {
		o := gopxeboot(t, argv...)
		if o.Code != 0 && argv[0] != "check" {
			t.Errorf("%s: %+v", argv[0], o)
		}
		contains(t, o.Stderr, why)
		alive(argv[0])
	}
	// The parent recorded it: DHCP of the guest's by the bridge.
	file, err := os.Open(pcap)
	labtest.Check(t, err)
	defer file.Close()
	asked := 0
	for p, err := range wire.ReadCapture(file) {
		labtest.Check(t, err)
		if m, err := survey.Decode(p.Data); err == nil && m.Op == 1 && m.CHAddr.String() == lab.SampleMAC {
			asked++
		}
	}
	if asked == 0 {
		t.Error("the capture has no DHCP in it")
	}
	if after := len(labtest.Ports(t, l)); after != ports {
		t.Errorf("%d ports, then %d", ports, after)
	}
	if o := gopxeboot(t, "plan", "--net=guest", vif); o.Code != 0 || strings.Contains(o.Stderr, "dom0's own") || !strings.Contains(o.Stdout, `"net": "guest"`) {
		t.Errorf("--net guest: %+v", o)
	}
}

// A frame with the guest's MAC, which any guest on the bridge can send, does not
// move a boot into dom0's network.
func TestFrameMovesNothing(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	forger, err := l.AddHost(t.Context(), lab.HostConfig{Name: "another guest"})
	labtest.Check(t, err)
	mac, err := net.ParseMAC(lab.SampleMAC)
	labtest.Check(t, err)
	labtest.Check(t, forger.Do(func() error {
		wire := labtest.Wire(t, "eth0")
		defer wire.Close()
		frame := append(append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac...), make([]byte, 48)...)
		frame[12], frame[13] = 0x88, 0xb5 // for experiments (IEEE 802)
		_, err := wire.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]})
		return err
	}))
	o := gopxeboot(t, "-v", "--output-directory="+t.TempDir(), vif)
	if o.Code != 0 {
		t.Errorf("%+v", o)
	}
	contains(t, o.Stderr, "--net guest on xenbr0", lab.SampleMAC+" was seen on port lab")
}
