package dhcpclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// record makes a capture of one whole exchange.
func record(t *testing.T) (recorded []byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var buffer bytes.Buffer
		capture, err := NewCapture(&buffer)
		if err != nil {
			t.Fatal(err)
		}
		w := lan.New(&server{ID: "10.0.0.3", PXE: lan.PXE("10.0.0.3", file("pxelinux.0"))}, &server{ID: "10.0.0.1", Address: "10.0.0.42", After: 500 * time.Millisecond})
		client := testClient(t, capture.Tap(w))
		client.ProbeWait = 0
		if client.Conn.String() != "wire0" {
			t.Errorf("the tap is called %s", client.Conn)
		}
		if _, err := client.Lease(t.Context()); err != nil {
			t.Fatal(err)
		}
		recorded = buffer.Bytes()
	})
	return recorded
}

func TestCapture(t *testing.T) {
	b := record(t)
	const header = "d4c3b2a1" + "02000400" + "00000000" + "00000000" + "00000400" + "01000000"
	if got := hexOf(string(b[:24])); got != header {
		t.Errorf("header %s, want %s", got, header)
	}
	var got []string
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every synctest bubble
	for b = b[24:]; len(b) > 0; {
		number := func(i int) int64 { return int64(binary.LittleEndian.Uint32(b[4*i:])) }
		at := time.Unix(number(0), number(1)*1000).Sub(begin)
		if number(2) != number(3) {
			t.Errorf("%d bytes of %d", number(2), number(3))
		}
		frame := b[16 : 16+number(2)]
		b = b[16+number(2):]
		what := ""
		if p, ok := arpOf(frame); ok {
			what = p.Sender.String() + " asks for " + p.Target.String()
			if p.Operation == wire.ARPReply {
				what = p.Sender.String() + " is there"
			}
		} else if to, m := lan.ParseRequest(frame); m != nil {
			what = m.MessageType().String() + " to " + to.String()
		} else if r := replyOf(frame, guestMAC); r != nil {
			what = r.MessageType().String() + " of " + r.server().String()
		}
		got = append(got, at.String()+" "+what)
	}
	want := []string{
		"0s DISCOVER to 255.255.255.255:67", "0s OFFER of 10.0.0.3", "500ms OFFER of 10.0.0.1",
		"750ms 0.0.0.0 asks for 10.0.0.42", "750ms REQUEST to 255.255.255.255:67", "1.25s ACK of 10.0.0.1",
		"1.25s 10.0.0.42 asks for 10.0.0.3", "1.25s 10.0.0.3 is there", "1.25s REQUEST to 10.0.0.3:4011",
		"1.25s 10.0.0.3 asks for 10.0.0.42", "1.25s 10.0.0.42 is there", "1.25s ACK of 10.0.0.3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// failing is a disk that is full after a number of writes.
type failing struct {
	room  int
	bytes int
}

func (f *failing) Write(b []byte) (int, error) {
	if f.room--; f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	f.bytes += len(b)
	return len(b), nil
}

func TestCaptureEnds(t *testing.T) {
	if c, err := NewCapture(&failing{}); c != nil || err == nil || err.Error() != "begin a packet capture: no space left on device" {
		t.Errorf("%v, %v", c, err)
	}
	full := &failing{room: 3}
	c, err := NewCapture(full)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c.w.Write(time.Now(), make([]byte, 100))
	}
	if full.room != -1 {
		t.Errorf("was written to %d times after the disk was full", -1-full.room)
	}

	large := &failing{room: 1 << 30}
	if c, err = NewCapture(large); err != nil {
		t.Fatal(err)
	}
	for range maxCapture/4096 + 1 {
		c.w.Write(time.Now(), make([]byte, 4096))
	}
	if large.bytes > maxCapture || large.bytes < maxCapture-4096-16 {
		t.Errorf("%d bytes", large.bytes)
	}
}
