package labs

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// boot is the boot of the site's guest, of which nothing is kept.
func (s *site) boot() error {
	s.Helper()
	return s.bootTo(io.Discard)
}

// bootTo is boot, and what it says.
func (s *site) bootTo(w io.Writer) error {
	s.Helper()
	out, err := handover.OpenOutput(s.Context(), filepath.Join(labtest.TempDir(s.T), "answer"))
	labtest.Check(s, err)
	_, err = boot.Boot(s.Context(), s.request, out, console.New(w, console.Normal))
	if err != nil {
		out.Discard()
	}
	return err
}

// private lets root only read what is in the tree.
func (s *site) private(names ...string) {
	s.Helper()
	for _, name := range names {
		labtest.Check(s, os.Chmod(filepath.Join(s.tree, name), 0o600))
	}
}

// hangs is a web server that takes connections and says nothing.
func (s *site) hangs() {
	s.Helper()
	labtest.Check(s, s.lab().Servers.Do(func() error {
		l, err := net.Listen("tcp4", ":80")
		if err == nil {
			s.Cleanup(func() { l.Close() })
		}
		return err
	}))
}

// badBoots are labs in which a boot fails, and what it says then. The hint is the
// one of the check.
var badBoots = []report{
	{fault{"UTF-16", check.NoDefault, isBroken, configured(utf16LE(goodConfig))},
		[]string{"boot: ", "the configuration is UTF-16, which PXELINUX does not read", "save it as plain ASCII or UTF-8", "iconv"}, []string{"add a line", "no DEFAULT"}},
	{fault{"a byte order mark", check.NoDefault, isBroken, configured("\ufeff" + goodConfig)},
		[]string{"begins with a byte order mark", "sed -i"}, []string{"add a line", "no DEFAULT"}},
	{fault{"DEFAULT is misspelt", check.LabelMissing, isBroken, configured(strings.Replace(goodConfig, "default linux", "default linus", 1))},
		[]string{"kernel: ", "linus: file not found", "write in " + configName + ":1: DEFAULT linux"}, []string{"put it there"}},
	{fault{"the configuration may not be read", check.TFTPRefused, isBroken, func(s *site) {
		s.private(configFile)
		s.dhcpd()
		s.tftpd()
	}}, []string{"config: no PXELINUX configuration: the server refuses to give it: ", `said "File must have global read permissions" (code 2)`, "chmod a+r"}, []string{"put one there"}},
	{fault{"tftpd-hpa without --secure", check.TFTPRefused, isBroken, func(s *site) {
		s.tftpdWith(s.lab().Servers)
		s.dhcpd()
	}}, []string{"the server refuses to give it", "Only absolute filenames allowed", "(code 2)", "(and 11 names more)", "--secure"}, []string{"put one there"}},
	{fault{"a firewall before the data ports", check.TFTPDataBlocked, isBroken, func(s *site) {
		s.firewall()
		s.dhcpd()
		s.tftpd()
	}}, []string{"config: tftp://", "again and again", "nf_conntrack_tftp"}, []string{"see that a TFTP server runs"}},
	{fault{"a firewall before the data ports, and the first name", check.TFTPDataBlocked, isBroken, func(s *site) {
		s.move(configFile, "pxelinux.cfg/"+s.request.UUID)
		s.firewall()
		s.dnsmasq()
	}}, []string{"config: tftp://", "again and again", "nf_conntrack_tftp"}, []string{"see that a TFTP server runs"}},
	{fault{"each third block gets lost", check.PacketLoss, either, with(func(s *site) {
		s.losesEach()
		s.request.Timeout = 15 * time.Second
	})}, []string{"no time is left: ", "blocks of ", "had to be asked for again", "error counters"}, []string{"can be reached"}},
	{fault{"the kernel may not be read", check.FileUnreadable, isBroken, func(s *site) {
		s.private(kernelFile)
		s.dhcpd()
		s.tftpd()
	}}, []string{"kernel: tftp://", "File must have global read permissions", "chmod a+r"}, nil},
	{fault{"initrd= and a space", check.FileUnreadable, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel vmlinuz\n append initrd= initrd.img quiet\n")
		s.dhcpd()
		s.tftpd()
	}}, []string{"initrd: ", "write in " + configName + ":4: APPEND initrd=initrd.img quiet"}, []string{"chmod"}},
	{fault{"a name as on Windows", check.KernelMissing, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel boot\\vmlinuz\n")
		s.move(kernelFile, "boot/vmlinuz")
		s.dhcpd()
		s.tftpd()
	}}, []string{`kernel: tftp://`, "write in " + configName + ":3: KERNEL boot/vmlinuz"}, []string{"put it there"}},
	{fault{"a name as on Windows, and dnsmasq", check.Fine, fine, with(func(s *site) {
		s.config("default linux\nlabel linux\n kernel boot\\vmlinuz\n")
		s.move(kernelFile, "boot/vmlinuz")
	})}, nil, nil},
	{fault{"a kernel in another case", check.KernelMissing, isBroken, configured("default linux\nlabel linux\n kernel VMLinuz\n append initrd=initrd.img\n")},
		[]string{"; write vmlinuz in its place in tftp://192.168.1.166/" + configFile + ", if tftp://192.168.1.166/vmlinuz is meant"}, nil},
	{fault{"an initrd by another usual name", check.InitrdMissing, isBroken, with(func(s *site) { s.move(initrdFile, "initrd.gz") })},
		[]string{"write initrd.gz in its place"}, nil},
	{fault{"a kernel that is in another directory", check.KernelMissing, isBroken, configured("default linux\nlabel linux\n kernel /srv/tftp/vmlinuz\n append initrd=initrd.img\n")},
		[]string{"write vmlinuz in its place"}, nil},
	{fault{"an initrd that is where the kernel is", check.InitrdMissing, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/boot/vmlinuz\n append initrd=http://192.168.1.166/initrd.img\n")
		s.move(kernelFile, "boot/vmlinuz")
		s.move(initrdFile, "boot/initrd.img")
		s.dnsmasq()
		s.nginx("")
	}}, []string{"write http://192.168.1.166/boot/initrd.img in its place"}, nil},
	{fault{"a kernel that is not in the boot file's directory", check.KernelMissing, isBroken, with(func(s *site) {
		s.file("pxe/pxelinux.0", "not needed")
		s.move(configFile, "pxe/"+configFile)
		s.move(initrdFile, "pxe/"+initrdFile)
		s.dhcp.BootFile = "pxe/pxelinux.0"
	})}, []string{"write ::vmlinuz in its place"}, nil},
	{fault{"the initrd is empty", check.FileTruncated, isBroken, with(func(s *site) { s.file(initrdFile, "") })},
		[]string{"the file is empty", "copy it there again"}, []string{"32 MiB"}},
	{fault{"no web server for the kernel", check.HTTPRefused, isBroken, configured(kernelAt("http://192.168.1.166/vmlinuz"))},
		[]string{"connection refused", "systemctl status nginx"}, nil},
	{fault{"no TFTP server on the kernel's machine", check.FileUnreachable, isBroken, func(s *site) {
		s.host("other", "192.168.1.77/24")
		s.config(kernelAt("192.168.1.77::vmlinuz"))
		s.dnsmasq()
	}}, []string{"nothing listens on that port (192.168.1.77:69)", "start the TFTP server on 192.168.1.77"}, []string{"is up and can be reached"}},
	{fault{"a scheme that PXELINUX does not know", check.NotBootable, isBroken, configured(kernelAt("nfs://192.168.1.166/vmlinuz"))},
		[]string{"not nfs; correct label linux in tftp://"}, []string{"see DEFAULT"}},
	{fault{"CONFIG names what is not there", check.NotBootable, isBroken, configured("default more\nlabel more\n config more.cfg\n")},
		[]string{"CONFIG tftp://192.168.1.166/more.cfg: not found", "correct label more in tftp://"}, []string{"see DEFAULT"}},
	{fault{"a menu of what is disabled", check.NotBootable, isBroken, configured("ui menu.c32\nlabel a\n menu disable\n kernel vmlinuz\n")},
		[]string{"its highlighted entry boots nothing", "say MENU DEFAULT"}, []string{"see DEFAULT"}},
	{fault{"a label in another case", check.LabelMissing, isBroken, with(func(s *site) { s.request.Label = "Linux" })},
		[]string{`no label is called "Linux"`, "its labels are linux", "--label linux"}, nil},
	{fault{"a kernel that is too large", check.FileTooLarge, isBroken, with(func(s *site) { s.request.MaxKernel = 1000 })},
		[]string{"kernel: tftp://192.168.1.166/vmlinuz: ", "1000 bytes allowed", "see what that file is, or say --max-kernel 2"}, nil},
	{fault{"GRUB without its kernel", check.KernelMissing, isBroken, with(func(s *site) {
		s.file("grub.cfg", "menuentry linux {\n linux /boot/vmlinuz\n}\n")
		s.request.Program, s.request.BootFile = plan.GRUB, "core.0"
	})}, []string{"boot/vmlinuz: file not found", "write /vmlinuz in its place"}, []string{"relative to the boot file's"}},
	{fault{"no configuration of GRUB's", check.NoConfig, isBroken, with(func(s *site) {
		s.file("core.0", "not needed")
		s.request.Program, s.request.BootFile = plan.GRUB, "core.0"
	})},
		[]string{"no GRUB configuration; the first name asked for was tftp://192.168.1.166/", "put one there: tftp://192.168.1.166//grub.cfg serves"}, []string{"or a grub.cfg"}},
	{fault{"no configuration of GRUB's, whose boot file has an underscore", check.NoConfig, isBroken, with(func(s *site) {
		s.file("boot_it", "not needed")
		s.request.Program, s.request.BootFile = plan.GRUB, "boot_it"
	})}, []string{"put one there: tftp://192.168.1.166//grub.cfg serves"}, []string{"boot-it"}},
	{fault{"the configuration is empty", check.ConfigEmpty, isBroken, configured("")},
		[]string{configName + " has 0 bytes", "write the configuration into that file"}, []string{"none found"}},
	{fault{"a label without KERNEL", check.KernelMissing, isBroken, configured("default linux\nlabel linux\n")},
		[]string{"linux: file not found", "add a line KERNEL"}, []string{"put it there"}},
	{fault{"the labels are in a file that is missing", check.LabelMissing, isBroken, configured("default linux\ninclude labels.cfg\n")},
		[]string{"linux: file not found", "put the file there that INCLUDE names"}, []string{"upper and lower case"}},
	{fault{"iPXE's kernel is missing", check.NotBootable, isBroken, func(s *site) {
		s.remove(configFile)
		s.file("boot.ipxe", "#!ipxe\nkernel nowhere\nboot\n")
		s.dhcp.BootFile = "boot.ipxe"
		s.dnsmasq()
	}}, []string{"boot.ipxe:2: kernel nowhere: tftp://192.168.1.166/nowhere: file not found", "correct that line, or put what it asks for on the server"}, nil},
	{fault{"iPXE's script is on no server", check.ConfigUnreadable, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcp.BootFile = "http://192.168.1.77/boot.ipxe"
		s.dnsmasq()
	}}, []string{"config: http://192.168.1.77/boot.ipxe: 192.168.1.77:80: no route to host", "can be reached from 192.168.1.0/24"}, nil},
	{fault{"a name that DNS does not know", check.DNSNoAddress, isBroken, func(s *site) {
		s.remove(kernelFile)
		named(serveNames, "--local=/example/")(s)
	}}, []string{"kernel: http://mirror.example/vmlinuz", "host-record=mirror.example,ADDRESS"}, []string{"put it there"}},
	{fault{"a router that is down", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), noMachine
		s.dhcpd()
	}}, []string{"correct the router (option 3)", "see that it is up"}, []string{"a TFTP server runs"}},
	{fault{"a router that is the guest's own address", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), lab.SampleAddress
		s.dhcpd()
	}}, []string{"correct the router (option 3)"}, []string{"a TFTP server runs"}},
	{fault{"a next-server that is no machine", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer = noMachine
		s.dhcpd()
	}}, []string{"correct next-server"}, []string{"a TFTP server runs"}},
	{fault{"a next-server that is no machine, and GRUB", check.NextServerUnreachable, isBroken, func(s *site) {
		s.request.Program, s.request.BootFile = plan.GRUB, "core.0"
		s.dhcp.NextServer = noMachine
		s.dhcpd()
	}}, []string{"tftp://192.168.1.77//core.0", "correct next-server"}, []string{"a TFTP server runs"}},
	{fault{"no TFTP server runs", check.TFTPNotRunning, isBroken, func(s *site) { s.dhcpd() }},
		[]string{"systemctl status tftpd-hpa"}, []string{"can be reached"}},
	{fault{"a TFTP server that answers from another address", check.TFTPOtherAddress, isBroken, func(s *site) {
		s.dhcpd()
		s.answersFrom("192.168.1.168")
	}}, []string{"or name the other address"}, []string{"see that the TFTP server runs"}},
	{fault{"no TFTP on port 69", check.TFTPSilent, isBroken, func(s *site) {
		s.dhcpd()
		s.babbles()
	}}, []string{"ss -ulpn"}, []string{"see that the TFTP server runs"}},
	{fault{"a TFTP server that is silent", check.TFTPSilent, isBroken, func(s *site) {
		s.dhcpd()
		s.deaf(s.lab().Servers)
	}}, []string{"see that the TFTP server runs"}, nil},
	{fault{"a web server that hangs", check.FileUnreachable, isBroken, func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		s.hangs()
	}}, []string{"192.168.1.166:80 takes the connection, and then says nothing", "it takes connections, so the way there is not at fault"}, []string{"can be reached"}},
}

// A boot that fails says what is wrong first and what to do about it, as the check
// that it names does.
func TestBadBoots(t *testing.T) { testBoots(t, badBoots) }

func testBoots(t *testing.T, labs []report) {
	t.Helper()
	atOnce(t, labs, report.boots)
}

// boots has the lab's guest boot, and the check look at it.
func (r report) boots(t *testing.T) {
	t.Helper()
	s := newSite(t)
	r.make(s)
	err := s.boot()
	if (err == nil) != (r.code == check.Fine) {
		t.Fatalf("it ends with %v", err)
	}
	text := fmt.Sprint(err)
	r.words(t, text)
	facts, found := s.lookAt()
	if found.Verdict.Code != r.code && (r.code != check.Fine || found.Status() == check.Fail) {
		t.Errorf("the check says %s, want %s\n%s", found.Verdict.Code, r.code, dump(facts, found))
	}
	if err != nil && !strings.Contains(text, found.Verdict.Advice) {
		t.Errorf("the check's hint, %q, is not in: %s", found.Verdict.Advice, text)
	}
}

// A DNS server that is silent is waited for once, and not for each file.
func TestSilentDNSBoot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config("default linux\nlabel linux\n kernel http://mirror.example/vmlinuz\n append initrd=http://mirror.example/initrd.img,http://mirror.example/initrd.img\n")
	s.dnsmasq("--dhcp-option=option:dns-server," + s.deadDNS())
	s.nginx("")
	var said bytes.Buffer
	began := time.Now()
	err := s.bootTo(&said)
	if took := time.Since(began); err != nil || took > 25*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	const words = "the DNS server 192.168.1.9 does not answer, which cost 10.0 s"
	if n := strings.Count(said.String(), "the DNS server 192.168.1.9 does not answer"); n != 1 || !strings.Contains(said.String(), words) {
		t.Errorf("it is said %d times:\n%s", n, said.String())
	}
}
