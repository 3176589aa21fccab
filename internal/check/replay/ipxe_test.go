package replay

import (
	"debug/elf"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
)

// asIPXE is an exchange of its own, with that user class.
func (s *story) asIPXE(class string) *story {
	s.xid++
	return s.discover(dhcpv4.WithGeneric(dhcpv4.OptionUserClassInformation, []byte(class)), dhcpv4.WithGeneric(dhcpv4.GenericOptionCode(175), []byte{19, 1, 1}))
}

// gives is the rest of an exchange.
func (s *story) gives(file string) *story {
	named := dhcpv4.WithOption(dhcpv4.OptBootFileName(file))
	return s.offer(named).request().answer(dhcpv4.MessageTypeAck, named)
}

// A capture of a guest whose ROM is given an iPXE: what DHCP says to that one counts,
// and what boots by its script.
func TestIPXE(t *testing.T) {
	const url = "http://10.0.0.2/boot.ipxe?mac=00-16-3e-72-79-e3"
	image := string(fake.BzImage(fake.Vmlinux(elf.EM_X86_64, make([]byte, 4000), fake.Notes(true, true), elf.SHT_NULL)))
	for _, c := range []struct {
		name string
		tell func(*story)
		code check.Code
		says string
	}{
		{"a script by HTTP", func(s *story) {
			s.asIPXE("iPXE").gives("http://10.0.0.2/boot.ipxe?mac=${mac:hexhyp}").arp(filesIP, true)
			s.fetches("boot.ipxe?mac=00-16-3e-72-79-e3", "200 OK", "#!ipxe\nkernel vmlinuz quiet\nboot\n").fetches("vmlinuz", "200 OK", image)
		}, check.Fine, ""},
		{"a kernel that is missing", func(s *story) {
			s.asIPXE("iPXE").gives("boot.ipxe").arp(filesIP, true).gets("boot.ipxe", "#!ipxe\n\nkernel gone\nboot\n", 1408).tftpError("gone", 1, "File not found")
		}, check.NotBootable, "boot.ipxe:3: kernel gone: "},
		{"a kernel of which the capture has nothing", func(s *story) {
			s.asIPXE("iPXE").gives("boot.ipxe").arp(filesIP, true).gets("boot.ipxe", "#!ipxe\nkernel vmlinuz\nboot\n", 1408)
		}, check.Fine, ""},
		{"a kernel that does not come", func(s *story) {
			s.asIPXE("iPXE").gives("boot.ipxe").arp(filesIP, true).gets("boot.ipxe", "#!ipxe\nkernel slow\nboot\n", 1408).asks("slow")
			s.wait(5*time.Second).arp(dhcpIP, true)
		}, check.NotBootable, "boot.ipxe:2: kernel slow: silent"},
		{"a script that is missing", func(s *story) {
			s.asIPXE("iPXE").gives("boot.ipxe").arp(filesIP, true).tftpError("boot.ipxe", 1, "File not found")
		}, check.NoConfig, "tftp://10.0.0.2/boot.ipxe: 1 File not found"},
		{"PXELINUX's search instead", func(s *story) {
			s.asIPXE("iPXE").gives("boot.ipxe").arp(filesIP, true).tftpError("boot.ipxe", 1, "File not found")
			s.gets("pxelinux.cfg/default", "default a\nlabel a\nkernel k\n", 1408).gets("k", image, 1408)
		}, check.ConfigProblems, "iPXE boots nothing"},
		{"Tinkerbell's third question", func(s *story) {
			s.asIPXE("iPXE").gives("undionly.kpxe").asIPXE("Tinkerbell").gives(url).arp(filesIP, true)
			s.fetches(strings.TrimPrefix(url, "http://10.0.0.2/"), "200 OK", "#!ipxe\nsanboot\n")
		}, check.Fine, ""},
		{"iPXE again and again", func(s *story) {
			s.asIPXE("iPXE").gives("undionly.kpxe").asIPXE("Tinkerbell").gives("undionly.kpxe")
		}, check.IPXELoop, "undionly.kpxe"},
		{"no answer to iPXE", func(s *story) { s.asIPXE("iPXE").wait(5*time.Second).arp(dhcpIP, true) }, check.IPXENotServed, "undionly.kpxe"},
		{"a capture that ends before", func(s *story) { s.asIPXE("iPXE") }, check.Fine, ""},
		{"a capture of the ROM alone", func(*story) {}, check.Fine, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStory().discover().gives("undionly.kpxe")
			c.tell(s)
			f, _, err := Read(s.all(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if v := check.Diagnose(f).Verdict; v.Code != c.code || !strings.Contains(v.Evidence, c.says) {
				t.Errorf("%+v, want %s and %q; %q", v, c.code, c.says, f.Errors)
			}
		})
	}
}
