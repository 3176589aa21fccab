package replay

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/render"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Captures of the real PXELINUX, booted by iPXE in QEMU: the pages of facts,
// and what is wrong. Blocks of PXELINUX itself are cut in them.
func TestReplayPXELINUX(t *testing.T) {
	for name, want := range map[string]check.Code{
		"pxelinux":           check.Fine,
		"no-config":          check.NoConfig,
		"missing-initrd-any": check.InitrdMissing, // of tcpdump -i any
	} {
		t.Run(name, func(t *testing.T) {
			f := replayFile(t, filepath.Join("testdata/captures", name+".pcap"))
			if got := check.Diagnose(f).Verdict; got.Code != want {
				t.Errorf("the verdict is %+v, want %s", got, want)
			}
			goldenFacts(t, "facts/"+name+".json", f)
		})
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// goldenFacts compares facts with a file of testdata, or writes it. A field that
// they did not have when it was written is none.
func goldenFacts(t *testing.T, name string, got check.Facts) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		data, err := json.MarshalIndent(got, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want check.Facts
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", name, diff)
	}
}

func replayFile(t *testing.T, name string) check.Facts {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := Read(wire.ReadCapture(bytes.NewReader(data)), Options{Name: filepath.Base(name)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const goodConfig = "DEFAULT linux\nLABEL linux\n KERNEL vmlinuz\n INITRD initrd.img\n APPEND console=hvc0\nLABEL other\n KERNEL old/vmlinuz\n"

// gzipped is one that begins as gzip does.
var gzipped = "\x1f\x8b\x08\x00" + large

// large is a file of many blocks, each of another content.
var large = func() string {
	var s strings.Builder
	for i := range 2000 {
		s.WriteString(strings.Repeat(string(rune('a'+i%26)), 3))
	}
	return s.String()
}()

// A capture without the MACs that frames go to, as tcpdump -i any makes it, tells of no
// machine's but that of who answers.
func TestReplayNoMAC(t *testing.T) {
	s := newStory().leased()
	s.asks("pxelinux.0")
	s.wait(5*time.Second).arp(dhcpIP, true)
	for i, p := range s.packets {
		if bytes.Equal(p.Data[6:12], guestMAC) && !bytes.Equal(p.Data[:6], allMAC) {
			s.packets[i].Data = slices.Concat(wire.NoMAC, p.Data[6:])
		}
	}
	f, _, err := Read(s.all(), Options{Name: "story"})
	if v := check.Diagnose(f).Verdict; err != nil || f.NextServer == nil || f.NextServer.MAC != "" || v.Code != check.TFTPSilent || strings.Contains(v.Evidence, "ARP") {
		t.Errorf("%v, %+v, %+v", err, f.NextServer, v)
	}
}

func TestReplayVerdicts(t *testing.T) {
	bare := func(m *dhcpv4.DHCPv4) { m.Options.Del(dhcpv4.OptionBootfileName) }
	no60 := func(m *dhcpv4.DHCPv4) { m.Options.Del(dhcpv4.OptionClassIdentifier) }
	otherServer := func(m *dhcpv4.DHCPv4) {
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(filesIP.AsSlice()))(m)
		dhcpv4.WithOption(dhcpv4.OptBootFileName("other.0"))(m)
		dhcpv4.WithServerIP(dhcpIP.AsSlice())(m)
	}
	again := func(s *story) *story { s.xid++; return s }
	const longer = 5 * time.Second
	proxy := []dhcpv4.Modifier{
		bare, dhcpv4.WithYourIP(nil), dhcpv4.WithServerIP(nil),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(filesIP.AsSlice())), dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient")),
	}
	for _, test := range []struct {
		name  string
		story *story
		want  check.Code
	}{
		{"nobody answers", newStory().discover().wait(time.Second).discover().wait(longer).discover(), check.NoServer},
		{"an answer for UEFI only", again(newStory().discover().wait(longer)).discover(dhcpv4.WithGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, 7})).offer(), check.OtherArchOnly},
		{"an answer for the installed system only", again(newStory().discover().wait(longer)).discover(no60).offer(), check.OnlyWithout60},
		{"an answer for another machine only", again(newStory().discover().wait(longer)).discover(dhcpv4.WithHwAddr(filesMAC)).offer(dhcpv4.WithHwAddr(filesMAC)), check.MACNotServed},
		{"a proxy only", newStory().discover().offer(dhcpv4.WithYourIP(nil), dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient"))), check.ProxyOnly},
		{"a proxy that says nothing", newStory().leased(bare).offer(proxy...).asksProxy().wait(time.Second).asksProxy().wait(longer), check.ProxySilent},
		{"a proxy that is asked at the capture's end", newStory().leased(bare).offer(proxy...).asksProxy(), check.NoFilename},
		{"a NAK", newStory().discover().offer().request().answer(dhcpv4.MessageTypeNak, dhcpv4.WithYourIP(nil)), check.Nak},
		{"a REQUEST without an answer", newStory().discover().offer().request().wait(longer).request(), check.NoAck},
		{"the address is taken", newStory().leased().arp(guestIP, true), check.AddressInUse},
		{"no boot file", newStory().leased(bare), check.NoFilename},
		{"an offer without next-server", newStory().leased(dhcpv4.WithServerIP(nil)).arp(dhcpIP, true), check.NoNextServer},
		{"next-server does not answer ARP", newStory().leased().arp(filesIP, false).wait(longer).arp(filesIP, false), check.NextServerUnreachable},
		{"no TFTP server", newStory().leased().arp(filesIP, true).refused("pxelinux.0"), check.TFTPNotRunning},
		{"a firewall before the TFTP server", newStory().leased().arp(filesIP, true).rejected("pxelinux.0", filesIP, 10), check.FirewallRejects},
		{"a firewall on the way to it", newStory().leased().arp(filesIP, true).rejected("pxelinux.0", dhcpIP, 3), check.FirewallRejects},
		{"a router that knows no way", newStory().leased().arp(filesIP, true).rejected("pxelinux.0", dhcpIP, 0), check.NextServerUnreachable},
		{"a firewall before the kernel's", newStory().configured(goodConfig).rejected("vmlinuz", filesIP, 13), check.FirewallRejects},
		{"a firewall before the web server", newStory().configured("DEFAULT linux\nLABEL linux\n KERNEL http://10.0.0.2/vmlinuz\n").connects(filesIP, 10), check.FirewallRejects},
		{"a firewall before the web server, at first", newStory().configured("DEFAULT linux\nLABEL linux\n KERNEL http://10.0.0.2/vmlinuz\n").connects(filesIP, 10).fetches("vmlinuz", "200 OK", bzImage), check.Fine},
		{"TFTP is silent", func() *story {
			s := newStory().leased().arp(filesIP, true)
			s.asks("pxelinux.0")
			return s.wait(longer).arp(dhcpIP, true)
		}(), check.TFTPSilent},
		{"the configuration is refused", newStory().leased().arp(filesIP, true).tftpError(macConfig, 2, "Access violation"), check.TFTPRefused},
		{"no configuration", newStory().leased().arp(filesIP, true).searched(), check.NoConfig},
		{"a configuration by a wrong name", newStory().leased().arp(filesIP, true).searched().gets("pxelinux.cfg/01-00-16-3E-72-79-E3", goodConfig, 1408), check.ConfigMisnamed},
		{"an empty configuration", newStory().configured(""), check.ConfigEmpty},
		{"no DEFAULT", newStory().configured("LABEL linux\n KERNEL vmlinuz\n"), check.NoDefault},
		{"no kernel", newStory().configured(goodConfig).tftpError("vmlinuz", 1, "File not found"), check.KernelMissing},
		{"a page for a kernel", newStory().configured(goodConfig).gets("vmlinuz", "<!DOCTYPE html><html><title>404</title>", 1408), check.KernelNotLinux},
		{"no initrd", newStory().configured(goodConfig).gets("vmlinuz", bzImage, 1408).tftpError("initrd.img", 1, "File not found"), check.InitrdMissing},
		{"a short initrd", func() *story {
			s := newStory().configured(goodConfig).gets("vmlinuz", bzImage, 1408)
			to := s.asks("initrd.img")
			s.udp(server, to, []byte("\x00\x06tsize\x004000\x00blksize\x001408\x00"))
			return s.udp(server, to, append([]byte{0, 3, 0, 1}, "the end"...))
		}(), check.FileTruncated},
		{"large blocks get lost", func() *story {
			s := newStory().leased().arp(filesIP, true).gets(macConfig, goodConfig, 1408)
			to := s.asks("vmlinuz")
			s.udp(server, to, []byte("\x00\x06tsize\x004000\x00blksize\x001408\x00"))
			for range 5 {
				s.udp(to, server, []byte{0, 4, 0, 0}).wait(time.Second)
			}
			return s.arp(dhcpIP, true)
		}(), check.TFTPLargeBlocks},
		{"two servers", newStory().discover().offer().offer(otherServer).request().answer(dhcpv4.MessageTypeAck).arp(filesIP, true).searched(), check.RogueServer},
		{"the initrd's size is asked for only", func() *story {
			s := newStory().configured(goodConfig).gets("vmlinuz", bzImage, 1408)
			to := s.asks("initrd.img")
			s.udp(server, to, []byte("\x00\x06tsize\x004000\x00blksize\x001408\x00"))
			return s.udp(to, server, []byte("\x00\x05\x00\x00enough\x00")).udp(server, to, []byte("\x00\x05\x00\x00cancelled\x00"))
		}(), check.Fine},
		{"all is well", newStory().configured(goodConfig).gets("vmlinuz", bzImage, 1408).gets("initrd.img", gzipped, 1408), check.Fine},
		{"the initrd is a page", newStory().configured(goodConfig).gets("vmlinuz", bzImage, 1408).gets("initrd.img", "<html><title>Sorry</title></html>", 1408), check.InitrdWrong},
		{"all is well by HTTP", newStory().leased(dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(210), []byte("http://10.0.0.2/boot/"))).arp(filesIP, true).
			fetches("boot/pxelinux.cfg/4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5", "404 Not Found", "no").
			fetches("boot/"+macConfig, "200 OK", goodConfig).fetches("boot/vmlinuz", "200 OK", bzImage).fetches("boot/initrd.img", "200 OK", gzipped), check.Fine},
		{"no kernel by HTTP", newStory().leased(dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(210), []byte("http://10.0.0.2/"))).arp(filesIP, true).
			fetches(macConfig, "200 OK", goodConfig).fetches("vmlinuz", "404 Not Found", "no"), check.KernelMissing},
		{"the capture ends early", newStory().configured(goodConfig), check.Fine},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, link := range []string{"as it is", "in a VLAN", "each frame twice", "in a file"} {
				s := *test.story
				packets := s.all()
				switch link {
				case "in a VLAN":
					s.packets = slices.Clone(s.packets)
					for i, p := range s.packets {
						s.packets[i].Data = slices.Concat(p.Data[:12], []byte{0x81, 0, 0, 7}, p.Data[12:])
						s.packets[i].Length += 4
					}
				case "each frame twice": // tagged and with a checksum on the card, and then not in the bridge
					s.packets = nil
					for _, p := range test.story.packets {
						tagged := p
						tagged.Data = slices.Concat(p.Data[:12], []byte{0x81, 0, 0, 7}, p.Data[12:])
						frame, _ := wire.ParseFrame(p.Data)
						if sum := checksumAt(frame); sum > 0 {
							tagged.Data[4+wire.EthernetHeader+sum] ^= 0xff
						}
						s.packets = append(s.packets, tagged, p)
					}
				case "in a file":
					var file bytes.Buffer
					w, err := wire.NewWriter(&file, 64<<20)
					if err != nil {
						t.Fatal(err)
					}
					for p := range s.all() {
						if err := w.Write(p.At, p.Data); err != nil {
							t.Fatal(err)
						}
					}
					packets = wire.ReadCapture(bytes.NewReader(file.Bytes()))
				}
				f, _, err := Read(packets, Options{Name: "story"})
				if err != nil {
					t.Fatal(err)
				}
				if got := check.Diagnose(f).Verdict; got.Code != test.want {
					t.Errorf("%s: the verdict is %+v, want %s; the facts are %s", link, got, test.want, text(f))
				}
				if vlan := f.Subject.VLAN; (vlan == 7) != (link == "in a VLAN") {
					t.Errorf("%s: the guest is in VLAN %d", link, vlan)
				}
			}
		})
	}
}

func text(f check.Facts) string {
	f.Events, f.Offers = nil, nil
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// bzImage is as much of a Linux kernel as tells what it is.
var bzImage = func() string {
	b := make([]byte, 5000)
	copy(b[0x1fe:], "\x55\xaa")
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x206:], 0x207)
	b[0x1f1] = 1
	return string(b)
}()

// Without a link layer nobody knows who the frames are for, but for what they
// say.
func TestReplayWithoutLinkLayer(t *testing.T) {
	s := newStory().leased().searched()
	for i, p := range s.packets {
		s.packets[i].Data = append(make([]byte, 12), p.Data[12:]...)
	}
	f, _, err := Read(s.all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := check.Diagnose(f).Verdict.Code; got != check.NoConfig || f.NextServer == nil || f.NextServer.TFTP != "answers" || len(f.Search) != 11 {
		t.Errorf("the verdict is %s; %s", got, text(f))
	}
}

// DATA may be larger than the network's frames, and come in windows.
func TestReplayPutsFilesTogether(t *testing.T) {
	s := newStory().leased().arp(filesIP, true)
	to := s.asks(macConfig)
	text := goodConfig + "# " + large
	s.udp(server, to, []byte("\x00\x06blksize\x002000\x00windowsize\x004\x00"))
	var blocks [][]byte
	for rest, number := text, byte(1); ; number++ {
		n := min(2000, len(rest))
		blocks = append(blocks, append([]byte{0, 3, 0, number}, rest[:n]...))
		if rest = rest[n:]; n < 2000 {
			break
		}
	}
	for _, i := range []int{1, 0, 0, 3, 2} {
		s.udp(server, to, blocks[i])
	}
	f, _, err := Read(s.all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c := f.Config; c == nil || c.Bytes != int64(len(text)) || c.Lines != 8 || c.Default != "linux" {
		t.Errorf("the configuration is %+v", c)
	}
	if diff := cmp.Diff([]string{"the guest does not ask for the kernel tftp://10.0.0.2/vmlinuz in this capture", "the guest does not ask for the initrd tftp://10.0.0.2/initrd.img in this capture"}, f.Errors); diff != "" {
		t.Errorf("what is lacking (-want +got):\n%s", diff)
	}
}

// What a person took from the menu counts, and what a capture lacks is said.
func TestReplayTakesWhatWasAskedFor(t *testing.T) {
	s := newStory().configured(goodConfig).gets("old/vmlinuz", bzImage, 1408)
	f, _, err := Read(s.all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Boot == nil || f.Boot.Label != "other" || len(f.Files) != 1 || f.Files[0].Result != "found" {
		t.Errorf("what boots is %+v, with %+v", f.Boot, f.Files)
	}
	f, _, err = Read(s.all(), Options{Label: "linux"})
	if err != nil {
		t.Fatal(err)
	}
	if f.Boot.Label != "linux" || len(f.Files) != 0 || len(f.Errors) != 2 {
		t.Errorf("of a label that is named, what boots is %+v, with %+v; errors %q", f.Boot, f.Files, f.Errors)
	}
}

// A configuration over three files: what a look at the lab says of it, too.
func TestReplayIncludes(t *testing.T) {
	s := newStory().configured("INCLUDE one\nINCLUDE two\nLABEL a\nKERNEL k\nLABEL b\nKERNEL k ro").
		gets("one", "DEFAULT a\n", 1408).gets("two", "TIMEOUT 50\nDEFAULT b  x=1\n", 1408)
	f, _, err := Read(s.all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := &plan.Config{
		URL: "tftp://10.0.0.2/" + macConfig, Bytes: 60, Lines: 6, Labels: []string{"a", "b"},
		Default: "b x=1", DefaultAt: "tftp://10.0.0.2/two:2",
	}
	if diff := cmp.Diff(want, f.Config); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is dropped from a command line that is too long are words as Linux reads
// them, quotes and all.
func TestReplayArgs(t *testing.T) {
	rest := `x="a  initrd=b" ` + strings.Repeat("y", 1000)
	f, _, err := Read(newStory().configured("DEFAULT k\nLABEL k\nKERNEL k\nAPPEND initrd=i "+rest).all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := &check.Args{Bytes: len("BOOT_IMAGE=k initrd=i " + rest), Limit: 1023, Shortened: len(rest)}
	if diff := cmp.Diff(want, f.Args); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A network card's driver that was booted first asks again.
func TestReplayChain(t *testing.T) {
	s := newStory().leased(dhcpv4.WithOption(dhcpv4.OptBootFileName("undionly.kpxe"))).arp(filesIP, true).gets("undionly.kpxe", large, 1408)
	s.gets("lab/"+macConfig, goodConfig, 1408).gets("lab/vmlinuz", bzImage, 1408)
	f, _, err := Read(s.all(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Files) != 1 || f.Files[0].URL != "tftp://10.0.0.2/lab/vmlinuz" || f.Files[0].Result != "found" {
		t.Errorf("the files are %+v; %s", f.Files, text(f))
	}
}

func TestReplayErrors(t *testing.T) {
	good, err := os.ReadFile("testdata/captures/pxelinux.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(wire.ReadCapture(bytes.NewReader([]byte("no capture"))), Options{}); !errors.Is(err, wire.ErrFormat) {
		t.Errorf("of what is no capture: %v", err)
	}
	if _, _, err := Read(newStory().arp(filesIP, true).all(), Options{}); !errors.Is(err, survey.ErrNoGuest) {
		t.Errorf("of a capture without DHCP: %v", err)
	}
	if _, _, err := Read(wire.ReadCapture(bytes.NewReader(good)), Options{MAC: dhcpMAC}); !errors.Is(err, survey.ErrNoGuest) || !strings.Contains(err.Error(), dhcpMAC.String()+" asks for no lease in the capture; --mac with one of those that do: "+guestMAC.String()) {
		t.Errorf("of another machine: %v", err)
	}
	f, _, err := Read(wire.ReadCapture(bytes.NewReader(good[:len(good)/2])), Options{})
	if err != nil || len(f.Offers) != 1 || !slices.Contains(f.Errors, "read the capture: "+io.ErrUnexpectedEOF.Error()) {
		t.Errorf("of half a file: %d offers, %q, %v", len(f.Offers), f.Errors, err)
	}
}

// FuzzReplay: bytes from anybody come to facts that can be judged and shown, or
// to an error.
func FuzzReplay(f *testing.F) {
	files, err := filepath.Glob("testdata/captures/*.pcap")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d captures, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 20<<10)])
	}
	add := func(packets iter.Seq2[wire.Packet, error]) {
		var file bytes.Buffer
		w, err := wire.NewWriter(&file, 64<<20)
		if err != nil {
			f.Fatal(err)
		}
		for p := range packets {
			if err := w.Write(p.At, p.Data); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(file.Bytes())
	}
	add(newStory().configured(goodConfig).gets("vmlinuz", bzImage, 1408).all())
	add(newStory().leased(dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(210), []byte("http://10.0.0.2/"))).fetches(macConfig, "200 OK", goodConfig).all())
	add(newStory().leased().refused("pxelinux.0").all())
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, _, err := Read(wire.ReadCapture(bytes.NewReader(data)), Options{})
		if err != nil {
			if !errors.Is(err, wire.ErrFormat) && !errors.Is(err, survey.ErrNoGuest) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if len(facts.Events) > maxEvents+300 {
			t.Errorf("%d events", len(facts.Events))
		}
		r := check.Diagnose(facts)
		if r.Verdict.Code == "" {
			t.Error("no verdict")
		}
		if err := render.HTML(io.Discard, facts, r); err != nil {
			t.Error(err)
		}
		if _, err := json.Marshal(facts); err != nil {
			t.Error(err)
		}
	})
}
