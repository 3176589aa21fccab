package guest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/mdlayher/packet"
)

// packetSockets are those that a child of this process has open.
func packetSockets(t *testing.T) (inodes []string) {
	t.Helper()
	children, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, file := range children {
		status, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue
		}
		dir := filepath.Dir(file)
		if argv, err := os.ReadFile(filepath.Join(dir, "cmdline")); err != nil || !strings.HasPrefix(string(argv), "gopxeboot-guest") {
			continue
		}
		found = true
		table, err := os.ReadFile(filepath.Join(dir, "net/packet"))
		labtest.Check(t, err)
		descriptors, err := filepath.Glob(filepath.Join(dir, "fd/*"))
		labtest.Check(t, err)
		for _, fd := range descriptors {
			target, err := os.Readlink(fd)
			labtest.Check(t, err)
			for row := range strings.Lines(string(table)) {
				fields := strings.Fields(row)
				if target == "socket:["+fields[len(fields)-1]+"]" {
					inodes = append(inodes, target)
				}
			}
		}
	}
	if !found {
		t.Fatal("the child is not there")
	}
	return inodes
}

// heard is what arrives until that frame does.
func heard(t *testing.T, on *packet.Conn, last []byte) (frames [][]byte) {
	t.Helper()
	on.SetReadDeadline(time.Now().Add(10 * time.Second))
	for buffer := make([]byte, 4096); ; {
		n, _, err := on.ReadFrom(buffer)
		if err != nil {
			t.Fatalf("%v after %d frames", err, len(frames))
		}
		frame := slices.Clone(buffer[:n])
		if slices.Equal(frame, last) {
			return frames
		}
		frames = append(frames, frame)
	}
}

// In dom0's network the child has no packet socket, whatever it listens to, and
// of what it sends only DHCP and ARP of the guest's gets out.
func TestForgedFrames(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	var wire *packet.Conn
	labtest.Check(t, l.Servers.Do(func() error {
		wire = labtest.Wire(t, "eth0")
		return nil
	}))
	defer wire.Close()
	survey := &guest.Survey{VLANs: []uint16{30}}
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Dom0, Survey: survey})
	if r := do(t, g, order{Listen: true, Confine: true}); r.Errors["listen"] != "allowed" || r.Errors["confine"] != "" {
		t.Fatal(r.Errors)
	}
	if open := packetSockets(t); len(open) > 0 {
		t.Errorf("packet sockets: %v", open)
	}
	names := map[string]string{}
	var frames [][]byte
	for name, frame := range guest.Forged() {
		if len(frame) > 0 {
			frames = append(frames, frame)
			names[string(frame)] = name
		}
	}
	last := guest.DHCPFrame(mac, 60)
	if r := do(t, g, order{Send: append(frames, last)}); r.Errors["send"] != "allowed" {
		t.Fatal(r.Errors)
	}
	for _, frame := range heard(t, wire, last) {
		if name, ok := names[string(frame)]; ok {
			t.Errorf("got out: %s", name)
		}
	}
}

// In a network of the guest's own the child has its packet sockets itself, and
// can't change what they take.
func TestOwnWire(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own, Survey: &guest.Survey{}})
	r := do(t, g, order{Listen: true, Confine: true, Filter: true})
	want := map[string]string{"listen": "allowed", "filter 0": "EPERM", "filter 1": "EPERM", "filter 2": "EPERM"}
	if diff := cmp.Diff(want, r.Errors); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if open := packetSockets(t); len(open) != 3 {
		t.Errorf("packet sockets: %v", open)
	}
}

// A child that may not be more than the guest has no other interface.
func TestNoSurvey(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Dom0})
	if r := do(t, g, order{Listen: true}); r.Errors["listen"] != "it can't be listened to\nit can't be listened to" {
		t.Errorf("got %v", r.Errors)
	}
}

// On a trunk the child has nothing but its VLAN's device, and what it sends
// leaves with that tag, whatever other it puts inside. Nothing is left.
func TestTrunk(t *testing.T) {
	if !guest.VLANDevices() { // TestStartInVLAN sees that it is said
		t.Skip("this kernel has no VLAN devices (8021q)")
	}
	l := labtest.New(t, lab.Config{})
	before := interfaces(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "trunk.pcap"))
	labtest.Check(t, err)
	defer file.Close()
	var conn *packet.Conn
	var recorder *wire.Recorder
	labtest.Check(t, l.Servers.Do(func() (err error) {
		conn = labtest.Wire(t, "eth0")
		recorder, err = wire.Record("eth0", file)
		return err
	}))
	defer conn.Close()
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), VLAN: 20, Net: guest.Own})
	tagged := func(frame []byte) []byte { return slices.Concat(frame[:12], []byte{0x81, 0, 0, 30}, frame[12:]) }
	last := guest.DHCPFrame(mac, 60)
	r := do(t, g, order{Listen: true, Confine: true, Send: [][]byte{tagged(last), guest.DHCPFrame(mac, 0), last}})
	if diff := cmp.Diff([]string{"lo", "eth0"}, r.Interfaces); diff != "" {
		t.Errorf("the child's interfaces (-want +got):\n%s", diff)
	}
	heard(t, conn, last)
	labtest.Check(t, recorder.Stop())
	sent := 0
	for p, err := range wire.ReadCapture(file) {
		labtest.Check(t, err)
		if len(p.Data) < 16 || !slices.Equal(p.Data[6:12], mac) {
			continue
		}
		sent++
		if !slices.Equal(p.Data[12:16], []byte{0x81, 0, 0, 20}) {
			t.Errorf("got out: % x", p.Data[:20])
		}
	}
	if sent != 3 {
		t.Errorf("%d frames got out, want 3", sent)
	}
	labtest.Check(t, g.Close())
	if diff := cmp.Diff(before, interfaces(t)); diff != "" {
		t.Errorf("interfaces left (-before +after):\n%s", diff)
	}
}
