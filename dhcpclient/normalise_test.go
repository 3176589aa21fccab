package dhcpclient

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// rawMessage is a message with these fields, and whatever options.
func rawMessage(sname, file, options string) []byte {
	m := (&dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: guestMAC}).ToBytes()[:wire.DHCPHeader]
	copy(m[snameOffset:snameEnd], sname)
	copy(m[fileOffset:fileEnd], file)
	return append(m, options...)
}

func TestNormalise(t *testing.T) {
	const end = "\xff"
	for _, c := range []struct {
		name                 string
		sname, file, options string
		want                 string // the options area after it
		wantSname, wantFile  string
		err                  error
	}{
		{name: "nothing to do", sname: "boot", file: "pxelinux.0", options: "\x35\x01\x02" + end,
			want: "\x35\x01\x02" + end, wantSname: "boot", wantFile: "pxelinux.0"},
		{name: "no End", options: "\x35\x01\x02", want: "\x35\x01\x02" + end},
		{name: "no options", want: end},
		{name: "padding", options: "\x00\x35\x01\x02\x00\x00" + end + "\x00\x00garbage", want: "\x35\x01\x02" + end},
		{name: "padding without End", options: "\x35\x01\x02\x00\x00\x00", want: "\x35\x01\x02" + end},
		{name: "empty option", options: "\x50\x00" + end, want: "\x50\x00" + end},
		{name: "options in file", sname: "boot", file: "\x03\x04\x0a\x00\x00\x01" + end + "rest", options: "\x34\x01\x01\x35\x01\x02" + end,
			want: "\x35\x01\x02\x03\x04\x0a\x00\x00\x01" + end, wantSname: "boot"},
		{name: "options in sname", sname: "\x42\x01x" + end, file: "pxelinux.0", options: "\x35\x01\x02\x34\x01\x02" + end,
			want: "\x35\x01\x02\x42\x01x" + end, wantFile: "pxelinux.0"},
		{name: "in both: file before sname", sname: "\x43\x01c", file: "\x43\x01b" + end, options: "\x43\x01a\x34\x01\x03" + end,
			want: "\x43\x01a\x43\x01b\x43\x01c" + end},
		{name: "a whole field without End", file: "\x43\x7e" + strings.Repeat("f", 126), options: "\x34\x01\x01" + end,
			want: "\x43\x7e" + strings.Repeat("f", 126) + end},
		{name: "overload within an overloaded field", sname: "boot", file: "\x34\x01\x03\x43\x01b" + end, options: "\x34\x01\x01" + end,
			want: "\x43\x01b" + end, wantSname: "boot"},

		{name: "option without a length", options: "\x35\x01\x02\x50", err: errMalformed},
		{name: "option behind the end", options: "\x35\x02\x02", err: errMalformed},
		{name: "option behind the end of file", file: "\x43\x7f" + strings.Repeat("f", 126), options: "\x34\x01\x01" + end, err: errMalformed},
		{name: "option behind the end of sname", sname: strings.Repeat("\x00", 63) + "\x43", options: "\x34\x01\x02" + end, err: errMalformed},
		{name: "overload of nothing", options: "\x34\x01\x00" + end, err: errMalformed},
		{name: "overload of more than there is", options: "\x34\x01\x04" + end, err: errMalformed},
		{name: "overload of two bytes", options: "\x34\x02\x01\x01" + end, err: errMalformed},
		{name: "overload twice", options: "\x34\x01\x01\x34\x01\x01" + end, err: errMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			message := rawMessage(c.sname, c.file, c.options)
			before := bytes.Clone(message)
			got, _, err := normalise(message)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if !bytes.Equal(message, before) {
				t.Error("changed its argument")
			}
			if c.err != nil {
				return
			}
			if diff := cmp.Diff(rawMessage(c.wantSname, c.wantFile, c.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if m, err := dhcpv4.FromBytes(got); err != nil || m.ServerHostName != c.wantSname || m.BootFileName != c.wantFile {
				t.Errorf("package dhcpv4 reads %+v, %v", m, err)
			}
		})
	}
	for _, short := range [][]byte{nil, make([]byte, wire.DHCPHeader-1)} {
		if got, _, err := normalise(short); !errors.Is(err, errMalformed) {
			t.Errorf("%d bytes: %x, %v", len(short), got, err)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, frame := range lan.Captures(f, "testdata") {
		f.Add(frame[inMessage:])
	}
	f.Add(rawMessage("\x43\x01c", "\x43\x01b\xff", "\x43\x01a\x34\x01\x03\xff")) // both fields overloaded
	f.Add(rawMessage("", "", "\x35\x01\x02"))                                    // no End
	f.Fuzz(func(t *testing.T, message []byte) {
		before := bytes.Clone(message)
		got, _, err := normalise(message)
		if !bytes.Equal(message, before) {
			t.Fatal("changed its argument")
		}
		if err != nil {
			return
		}
		if len(got) > len(message)+snameEnd-snameOffset+fileEnd-fileOffset+1 {
			t.Errorf("%d bytes became %d", len(message), len(got))
		}
		again, _, err := normalise(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("a second pass says %v:\n%x\n%x", err, got, again)
		}
		// Package dhcpv4 takes it, but for the cookie.
		copy(got[cookieOffset:], "\x63\x82\x53\x63")
		m, err := dhcpv4.FromBytes(got)
		if err != nil {
			t.Fatal(err)
		}
		if m.Options.Has(dhcpv4.OptionOptionOverload) {
			t.Error("option 52 is left")
		}
		if i := slices.Index(got[wire.DHCPHeader:], 0xff); i < 0 {
			t.Error("no End")
		}
	})
}
