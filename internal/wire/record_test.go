package wire_test

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// What a host asks for and is answered is in the capture, in its order, when
// Stop returns.
func TestRecord(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	guest, err := l.AddHost(t.Context(), lab.HostConfig{Name: "guest", MAC: net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}, Address: netip.PrefixFrom(lab.SampleAddress, 24)})
	labtest.Check(t, err)
	server := net.UDPAddrFromAddrPort(netip.AddrPortFrom(lab.ServersAddress.Addr(), 6900))
	var file bytes.Buffer
	labtest.Check(t, l.Servers.Do(func() error {
		echo, err := net.ListenUDP("udp4", server)
		if err != nil {
			return err
		}
		t.Cleanup(func() { echo.Close() })
		go func() {
			buffer := make([]byte, 2000)
			for {
				n, from, err := echo.ReadFromUDP(buffer)
				if err != nil {
					return
				}
				echo.WriteToUDP(append([]byte("re: "), buffer[:n]...), from)
			}
		}()
		return nil
	}))
	const questions = 200
	began := time.Now()
	labtest.Check(t, guest.Do(func() error {
		recorder, err := wire.Record("eth0", &file)
		if err != nil {
			return err
		}
		conn, err := net.DialUDP("udp4", nil, server)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		for i := range questions {
			if _, err := conn.Write([]byte{'q', byte(i)}); err != nil {
				return err
			}
			if _, err := conn.Read(make([]byte, 100)); err != nil {
				return err
			}
		}
		return recorder.Stop()
	}))
	var arp, asked, answered int
	for p, err := range wire.ReadCapture(bytes.NewReader(file.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		if since := p.At.Sub(began); since < -time.Millisecond || since > time.Minute {
			t.Errorf("a packet after %s", since)
		}
		switch content := string(p.Data[min(len(p.Data), 42):]); {
		case p.Data[12] == 8 && p.Data[13] == 6:
			arp++
		case slices.Equal(p.Data[6:12], guest.MAC) && content == "q"+string([]byte{byte(asked)}):
			asked++
		case strings.HasPrefix(content, "re: q"+string([]byte{byte(answered)})):
			answered++
		}
	}
	if arp == 0 || asked != questions || answered != questions {
		t.Errorf("%d frames of ARP, %d questions, %d answers; want some, and %d of both", arp, asked, answered, questions)
	}
}

// The kernel takes VLAN tags off; the capture has them.
func TestRecordVLAN(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	guest, err := l.AddHost(t.Context(), lab.HostConfig{Name: "guest", MAC: net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}})
	labtest.Check(t, err)
	var file bytes.Buffer
	frame := []byte("\xff\xff\xff\xff\xff\xff\x00\x16\x3e\x01\x02\x03\x81\x00\x00\x07\x08\x06" + strings.Repeat("x", 46))
	labtest.Check(t, guest.Do(func() error {
		recorder, err := wire.Record("eth0", &file)
		if err != nil {
			return err
		}
		if err := send("eth0", frame); err != nil {
			return err
		}
		return recorder.Stop()
	}))
	found := false
	for p, err := range wire.ReadCapture(bytes.NewReader(file.Bytes())) {
		found = found || err == nil && bytes.Equal(p.Data, frame)
	}
	if !found {
		t.Errorf("the tagged frame is not in %x", file.Bytes())
	}
}

func TestRecordNothing(t *testing.T) {
	labtest.New(t, lab.Config{}) // or skip
	var file bytes.Buffer
	if _, err := wire.Record("none0", &file); err == nil || !strings.Contains(err.Error(), "record none0") || file.Len() > 0 {
		t.Errorf("error %v, and %d bytes", err, file.Len())
	}
}
