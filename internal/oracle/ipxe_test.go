package oracle_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/oracle"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// scripts is where the cases of iPXE are. Each script in them is one that we
// have to run as the real one does.
const scripts = "../../testdata/ipxe"

// TestGoldenIPXE compares the package ipxe with the real iPXE's answers.
func TestGoldenIPXE(t *testing.T) {
	count := 0
	for _, c := range compareAll(t, scripts, "iPXE", compareIPXE) {
		for _, text := range c.Files {
			if strings.HasPrefix(string(text), "#!") {
				count++
			}
		}
	}
	t.Logf("%d scripts", count)
	if count < 120 {
		t.Errorf("only %d scripts", count)
	}
}

func compareIPXE(t *testing.T, c *oracle.Case, answer *oracle.Answer) {
	t.Helper()
	got, stubs := runIPXE(t, c)
	want := theirs(answer, false)
	for _, d := range c.Differences {
		if err := reconcile(d, want, got); err != nil {
			t.Errorf("differs: %s: %s: %v", d.Field, d.Value, err)
		}
	}
	if got.Ramdisk != nil && want.Ramdisk != nil && stubs && got.Ramdisk.Size == want.Ramdisk.Size {
		got.Ramdisk.SHA256 = want.Ramdisk.SHA256 // a stub is part of it
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s\n(-iPXE +ours):\n%s", c.About, diff)
	}
}

// runIPXE runs a case's script on the oracle's machine. With stubs, a stub is part of
// the ramdisk, whose bytes we do not have.
func runIPXE(t *testing.T, c *oracle.Case) (o *result, stubs bool) {
	s := &server{c: c}
	m := ipxe.Machine{
		MAC: c.MAC, Arch: "i386", Version: "1.0.0", Manufacturer: oracle.DMI["SYSVENDOR"], Product: "HVM  domU", Serial: " S 123 ",
		Lease: ipxe.Packet{Address: c.IP, NextServer: c.Server(), File: c.BootFile, Options: map[uint8][]byte{
			1: {255, 255, 255, 0}, 3: c.Server().AsSlice(), 54: c.Server().AsSlice(), 175: {176, 1, 1},
		}},
	}
	for _, o := range c.Options {
		addOption(t, m.Lease.Options, o)
	}
	if c.UUID != "" {
		if b, err := hex.DecodeString(strings.ReplaceAll(c.UUID, "-", "")); err == nil {
			copy(m.UUID[:], b)
		}
	}
	file := c.BootFile
	if c.Script != "" { // what DHCP says to a ROM, and to iPXE
		lease, err := program.AsIPXE(&dhcpclient.Lease{NextServer: c.Server(), BootFile: file}, func(class string) (*dhcpclient.Lease, error) {
			if class != "iPXE" || !program.IsIPXE(file) {
				return nil, fmt.Errorf("%s is named again to %s", file, class)
			}
			return &dhcpclient.Lease{NextServer: c.Server(), BootFile: c.Script}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		file = lease.BootFile
		m.Lease.File = oracle.Stage
	}
	r, err := ipxe.Run(t.Context(), m, ipxe.Env{Open: s.openIPXE}, ipxe.FileURL(c.Server(), file))
	o = &result{Outcome: string(oracle.Disk)} // which is what the machine goes on to after an error
	if stopped, _ := errors.AsType[*ipxe.Error](err); err != nil && stopped == nil {
		t.Fatal(err)
	}
	o.Requests = s.requests[1:]
	if c.Script != "" {
		o.Requests = append([]string{oracle.Found + " " + c.BootFile, oracle.Found + " " + oracle.Stage}, s.requests...)
	}
	if err != nil {
		return o, false
	}
	switch r.Outcome {
	case ipxe.Linux:
		o.Outcome, o.Args = string(oracle.Linux), []string{oracle.Text([]byte(r.Args))}
		var laid []byte
		for _, f := range r.Initrds {
			for len(laid)%4096 != 0 {
				laid = append(laid, 0)
			}
			data := s.content(f.URL)
			stubs = stubs || string(data) == stub
			laid = append(append(laid, f.Header(int64(len(data)))...), data...)
		}
		if len(laid) > 0 {
			o.Ramdisk = oracle.Describe(len(laid), laid[:min(len(laid), oracle.Head)])
		}
	case ipxe.Multiboot:
		o.Outcome = string(oracle.Multiboot)
		for _, f := range r.Modules {
			o.Args = append(o.Args, oracle.Text([]byte(f.Args)))
		}
	}
	return o, stubs
}

// addOption puts an option of a case, which is written as for dnsmasq, among those of
// the answer: bytes in hexadecimal, addresses, a number, or text.
func addOption(t *testing.T, all map[uint8][]byte, option string) {
	t.Helper()
	option, inside := strings.CutPrefix(option, "encap:175,")
	number, text, _ := strings.Cut(option, ",")
	code, err := strconv.ParseUint(number, 10, 8)
	if err != nil {
		t.Fatal(err)
	}
	value := []byte(text)
	if n, err := strconv.ParseUint(text, 10, 8); err == nil {
		value = []byte{byte(n)}
	} else if b, err := hex.DecodeString(strings.ReplaceAll(text, ":", "")); err == nil && strings.Contains(text, ":") {
		value = b
	} else if _, err := netip.ParseAddr(strings.Split(text, ",")[0]); err == nil {
		value = nil
		for word := range strings.SplitSeq(text, ",") {
			value = append(value, netip.MustParseAddr(word).AsSlice()...)
		}
	}
	if inside {
		all[175] = append(append(all[175], byte(code), byte(len(value))), value...)
	} else {
		all[uint8(code)] = value
	}
}

// openIPXE is get with the redirects of the case, and with heads of kernels.
func (s *server) openIPXE(_ context.Context, url string) (io.ReadCloser, error) {
	if to, ok := s.c.Moved[strings.TrimPrefix(url, "http://"+s.c.Server().String())]; ok {
		s.requests = append(s.requests, oracle.Found+" "+url)
		data, err := s.get(to)
		return moved{io.NopCloser(strings.NewReader(string(data))), to}, err
	}
	data, err := s.get(url)
	if err != nil && !strings.HasPrefix(s.requests[len(s.requests)-1], oracle.Empty) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	head := string(data)
	if head == stub {
		head = strings.Repeat("\x00", 0x202) + "HdrS"
		if path.Ext(url) == ".mb" {
			head = "\x02\xb0\xad\x1b\x00\x00\x00\x00\xfe\x4f\x52\xe4"
		}
	}
	return io.NopCloser(strings.NewReader(head)), nil
}

// content is a file's, without a request for it.
func (s *server) content(url string) []byte {
	asked := len(s.requests)
	data, err := s.get(url)
	s.requests = s.requests[:asked]
	if err != nil {
		panic(fmt.Sprintf("%s is gone: %v", url, err))
	}
	return data
}

type moved struct {
	io.ReadCloser
	url string
}

func (m moved) URL() string { return m.url }
