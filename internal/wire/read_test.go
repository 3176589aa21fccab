package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

var began = time.Date(2026, 11, 21, 9, 30, 0, 123456789, time.UTC)

// items are what Read yields, each as a line.
func items(data []byte) []string {
	var list []string
	for p, err := range ReadCapture(bytes.NewReader(data)) {
		if err != nil {
			list = append(list, err.Error())
			continue
		}
		list = append(list, fmt.Sprintf("%s %x %d", p.At.Format("15:04:05.999999999"), p.Data, p.Length))
	}
	return list
}

// order writes numbers, as bytes go in a file.
type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// pcap makes a file of packets that are all captured at began.
func pcap(o order, magic, link uint32, packets ...string) []byte {
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(o.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(o.AppendUint32(b, 65535), link)
	fraction := uint32(began.Nanosecond())
	if magic == magicMicro {
		fraction /= 1000
	}
	for _, p := range packets {
		b = o.AppendUint32(o.AppendUint32(b, uint32(began.Unix())), fraction)
		b = o.AppendUint32(o.AppendUint32(b, uint32(len(p))), uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// pcapBlock makes a block of pcapng.
func pcapBlock(o order, kind uint32, body ...[]byte) []byte {
	b := slices.Concat(body...)
	b = append(b, make([]byte, (4-len(b)%4)%4)...)
	size := uint32(12 + len(b))
	return o.AppendUint32(slices.Concat(o.AppendUint32(o.AppendUint32(nil, kind), size), b), size)
}

func section(o order) []byte {
	return pcapBlock(o, blockSection, o.AppendUint32(nil, 0x1a2b3c4d), o.AppendUint16(o.AppendUint16(nil, 1), 0), bytes.Repeat([]byte{0xff}, 8))
}

func describe(o order, link uint16, options ...byte) []byte {
	return pcapBlock(o, blockInterface, o.AppendUint16(nil, link), []byte{0, 0}, o.AppendUint32(nil, 0), options)
}

func enhanced(o order, index uint32, ticks uint64, data string, length int) []byte {
	b := o.AppendUint32(o.AppendUint32(o.AppendUint32(nil, index), uint32(ticks>>32)), uint32(ticks))
	b = o.AppendUint32(o.AppendUint32(b, uint32(len(data))), uint32(length))
	return pcapBlock(o, blockEnhanced, b, []byte(data))
}

// A frame of ARP's, and as it is without its link layer.
const (
	toAll = "\xff\xff\xff\xff\xff\xff"
	guest = "\x00\x16\x3e\x72\x79\xe3"
	arp   = toAll + guest + "\x08\x06" + "arp!"
)

func TestRead(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	line := func(at, frame string, length int) string { return fmt.Sprintf("09:30:00%s %x %d", at, frame, length) }
	micros, nanos := uint64(began.UnixMicro()), uint64(began.UnixNano())
	cookedARP := func(kind, size string) string {
		return "\x00" + kind + "\x00\x01" + "\x00" + size + guest + "\x00\x00" + "\x08\x06" + "arp!"
	}
	for _, test := range []struct {
		name string
		file []byte
		want []string
	}{
		{"microseconds", pcap(le, magicMicro, 1, arp, arp), []string{line(".123456", arp, 18), line(".123456", arp, 18)}},
		{"microseconds, big-endian", pcap(be, magicMicro, 1, arp), []string{line(".123456", arp, 18)}},
		{"nanoseconds", pcap(le, magicNano, 1, arp), []string{line(".123456789", arp, 18)}},
		{"nanoseconds, big-endian", pcap(be, magicNano, 1, arp), []string{line(".123456789", arp, 18)}},
		{"frames with a checksum", pcap(le, magicMicro, 0x14000001, arp), []string{line(".123456", arp, 18)}},
		{"no packet", pcap(le, magicMicro, 1), nil},
		{"cooked, to everybody", pcap(le, magicMicro, 113, cookedARP("\x01", "\x06")), []string{line(".123456", arp, 18)}},
		{"cooked, to one", pcap(le, magicMicro, 113, cookedARP("\x04", "\x06")), []string{line(".123456", "\x00\x00\x00\x00\x00\x00"+arp[6:], 18)}},
		{"cooked, without a MAC", pcap(le, magicMicro, 113, cookedARP("\x01", "\x00")), []string{line(".123456", toAll+"\x00\x00\x00\x00\x00\x00"+arp[12:], 18)}},
		{"cooked, cut", pcap(le, magicMicro, 113, "\x00\x01"), []string{line(".123456", "", 0)}},
		{"cooked, second version", pcap(le, magicMicro, 276, "\x08\x06\x00\x00\x00\x00\x00\x02\x00\x01\x01\x06"+guest+"\x00\x00arp!"), []string{line(".123456", arp, 18)}},
		{"raw", pcap(le, magicMicro, 101, "\x45ip"), []string{line(".123456", strings.Repeat("\x00", 12)+"\x08\x00\x45ip", 17)}},
		{"raw, version 6", pcap(le, magicMicro, 101, "\x60ip"), []string{line(".123456", strings.Repeat("\x00", 12)+"\x86\xdd\x60ip", 17)}},
		{"pcapng", slices.Concat(section(le), describe(le, 1), enhanced(le, 0, micros, arp, 1000)), []string{line(".123456", arp, 1000)}},
		{"pcapng, big-endian", slices.Concat(section(be), describe(be, 1), enhanced(be, 0, micros, arp, 18)), []string{line(".123456", arp, 18)}},
		{"pcapng, sections", slices.Concat(section(be), describe(be, 1), section(le), describe(le, 113), enhanced(le, 0, micros, cookedARP("\x01", "\x06"), 20)), []string{line(".123456", arp, 18)}},
		{"pcapng, nanoseconds", slices.Concat(section(le), describe(le, 1, 9, 0, 1, 0, 9, 0, 0, 0), enhanced(le, 0, nanos, arp, 18)), []string{line(".123456789", arp, 18)}},
		{"pcapng, 1/8 s", slices.Concat(section(le), describe(le, 1, 9, 0, 1, 0, 0x83, 0, 0, 0), enhanced(le, 0, uint64(began.Unix())*8+1, arp, 18)), []string{line(".125", arp, 18)}},
		{"pcapng, an hour later", slices.Concat(section(le), describe(le, 1, 14, 0, 8, 0, 0xf0, 0xf1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), enhanced(le, 0, micros+3600e6, arp, 18)), []string{line(".123456", arp, 18)}},
		{"pcapng, a time beyond all", slices.Concat(section(le), describe(le, 1, 9, 0, 1, 0, 0, 0, 0, 0), enhanced(le, 0, 1<<63, arp, 18)), []string{fmt.Sprintf("00:00:00 %x 18", arp)}},
		{"pcapng, other blocks", slices.Concat(section(le), pcapBlock(le, 4, make([]byte, 1000)), describe(le, 1), pcapBlock(le, 0x0bad), enhanced(le, 0, micros, arp, 18)), []string{line(".123456", arp, 18)}},
		{"pcapng, simple", slices.Concat(section(le), describe(le, 1), pcapBlock(le, blockSimple, le.AppendUint32(nil, 18), []byte(arp))), []string{fmt.Sprintf("00:00:00 %x 18", arp)}},
		{"pcapng, obsolete", slices.Concat(section(le), describe(le, 1), pcapBlock(le, blockPacket, make([]byte, 4), le.AppendUint32(le.AppendUint32(nil, uint32(micros>>32)), uint32(micros)), le.AppendUint32(le.AppendUint32(nil, 18), 18), []byte(arp))), []string{line(".123456", arp, 18)}},

		{"nothing", nil, []string{"read the capture: not a packet capture that can be read: it has 0 bytes"}},
		{"text", []byte("DEFAULT linux\n"), []string{"read the capture: not a packet capture that can be read: it begins with 44 45 46 41"}},
		{"only a header's beginning", pcap(le, magicMicro, 1)[:20], []string{"read the capture: not a packet capture that can be read: it ends in its header"}},
		{"of USB", pcap(le, magicMicro, 220, "usb"), []string{"read the capture: not a packet capture that can be read: it was taken where there are no guest's frames (link type 220)"}},
		{"cut in a record", pcap(le, magicMicro, 1, arp, arp)[:24+34+10], []string{line(".123456", arp, 18), "read the capture: unexpected EOF"}},
		{"cut in a packet", pcap(le, magicMicro, 1, arp, arp)[:24+34+20], []string{line(".123456", arp, 18), "read the capture: unexpected EOF"}},
		{"a huge packet", append(pcap(le, magicMicro, 1), bytes.Repeat([]byte{0xff}, 40)...), []string{"read the capture: not a packet capture that can be read: a packet of 4294967295 bytes"}},
		{"pcapng, cut", slices.Concat(section(le), describe(le, 1), enhanced(le, 0, micros, arp, 18)[:30]), []string{"read the capture: unexpected EOF"}},
		{"pcapng, no interface", slices.Concat(section(le), enhanced(le, 0, micros, arp, 18)), []string{"read the capture: not a packet capture that can be read: a packet of interface 0, and there are 0"}},
		{"pcapng, a block of 0 bytes", append(section(le), make([]byte, 12)...), []string{"read the capture: not a packet capture that can be read: a block of 0 bytes"}},
		{"pcapng, a packet of 99 bytes", slices.Concat(section(le), describe(le, 1), pcapBlock(le, blockEnhanced, make([]byte, 12), le.AppendUint32(le.AppendUint32(nil, 99), 99))), []string{"read the capture: not a packet capture that can be read: a packet of 99 bytes in a block of 20"}},
		{"pcapng, an endless name", slices.Concat(section(le), le.AppendUint32(le.AppendUint32(nil, 4), 0xfffffffc)), []string{"read the capture: unexpected EOF"}},
		{"pcapng, an endless packet", slices.Concat(section(le), le.AppendUint32(le.AppendUint32(nil, blockEnhanced), 0xfffffffc)), []string{"read the capture: not a packet capture that can be read: a block of 4294967292 bytes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, items(test.file)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// One may stop, and begin again.
func TestReadTwice(t *testing.T) {
	packets := ReadCapture(bytes.NewReader(pcap(binary.LittleEndian, magicMicro, 1, arp, arp)))
	for range 2 {
		for p, err := range packets {
			if err != nil || string(p.Data) != arp {
				t.Fatalf("%x, %v", p.Data, err)
			}
			p.Data[0] = 0 // it is ours
			break
		}
	}
}

// What the trade's own tool says of a file that Writer writes.
func TestWriterWithTcpdump(t *testing.T) {
	cmd := labtest.Program(t, "tcpdump", "-nn", "-e", "-r", "-")
	var file bytes.Buffer
	w, err := NewWriter(&file, MaxFile)
	if err != nil {
		t.Fatal(err)
	}
	frame := toAll + guest + "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + guest + "\x0a\x00\x00\x07" + "\x00\x00\x00\x00\x00\x00" + "\x0a\x00\x00\x01"
	if err := w.Write(began, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = &file
	out, err := cmd.Output()
	if want := "00:16:3e:72:79:e3 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has 10.0.0.1 tell 10.0.0.7"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
}

// FuzzRead has no other claim than that bytes from anybody do no harm.
func FuzzRead(f *testing.F) {
	le, be := binary.LittleEndian, binary.BigEndian
	f.Add(pcap(le, magicMicro, 1, arp))
	f.Add(pcap(be, magicNano, 113, strings.Repeat("\x00", 20)))
	f.Add(pcap(le, magicMicro, 276, strings.Repeat("\x06", 24)))
	f.Add(pcap(le, magicMicro, 101, "\x45"))
	f.Add(slices.Concat(section(le), describe(le, 1, 9, 0, 1, 0, 0x80, 0, 0, 0), enhanced(le, 0, 1, arp, 18)))
	f.Add(slices.Concat(section(be), describe(be, 113), pcapBlock(be, blockSimple, be.AppendUint32(nil, 3), []byte("abcd"))))
	f.Add(slices.Concat(section(le), section(be), pcapBlock(be, 4, make([]byte, 40))))
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		for p, err := range ReadCapture(bytes.NewReader(data)) {
			if err != nil {
				if p.Data != nil {
					t.Error("an error with a packet")
				}
				if !errors.Is(err, ErrFormat) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("an error of another kind: %v", err)
				}
				continue
			}
			if p.Length < len(p.Data) {
				t.Errorf("%d bytes of %d", len(p.Data), p.Length)
			}
			total += len(p.Data)
		}
		if total > 2*len(data)+EthernetHeader*len(data)/16 {
			t.Errorf("%d bytes out of %d", total, len(data))
		}
	})
}
