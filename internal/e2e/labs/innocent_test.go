package labs

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
)

// misnamed has the configuration under another name.
func misnamed(name string) func(*site) {
	return with(func(s *site) { s.move(configFile, "pxelinux.cfg/"+name) })
}

// misnamedReports are about configurations under names that PXELINUX does not ask for:
// what is for every guest is not to become this one's.
var misnamedReports = []report{
	{fault{"default.txt", check.ConfigMisnamed, isBroken, misnamed("default.txt")}, []string{"call it pxelinux.cfg/default, in lower case and with nothing behind it"}, []string{"01-"}},
	{fault{"Default", check.ConfigMisnamed, isBroken, misnamed("Default")}, []string{"call it pxelinux.cfg/default,"}, []string{"01-"}},
	{fault{"the address in lower case", check.ConfigMisnamed, isBroken, misnamed("c0a801c7")}, []string{"call it pxelinux.cfg/C0A801C7: the address in upper case"}, []string{"01-"}},
	{fault{"the address with dots", check.ConfigMisnamed, isBroken, misnamed("192.168.1.199")}, []string{"call it pxelinux.cfg/C0A801C7: the address in hexadecimal"}, []string{"01-"}},
	{fault{"the UUID in upper case", check.ConfigMisnamed, isBroken, misnamed("564D1C4F-0A1B-4C3D-8E5F-A0B1C2D3E4F5")}, []string{"the UUID in upper case", "call it pxelinux.cfg/564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5,"}, []string{"01-"}},
	{fault{"the MAC with .cfg behind it", check.ConfigMisnamed, isBroken, misnamed("01-00-16-3e-72-79-e3.cfg")}, []string{"call it pxelinux.cfg/01-00-16-3e-72-79-e3: lower case"}, nil},
	{fault{"the MAC without dashes behind 01-", check.ConfigMisnamed, isBroken, misnamed("01-00163e7279e3")}, []string{"call it pxelinux.cfg/01-00-16-3e-72-79-e3: lower case, dashes"}, nil},
}

func TestMisnamed(t *testing.T) { testReports(t, misnamedReports) }

// innocents are labs in which a boot or the check once blamed who is not at fault.
var innocents = []report{
	{fault{"ONTIMEOUT names no label", check.LabelMissing, isBroken, configured("ontimeout nowhere\ntimeout 10\ndefault menu.c32\nlabel linux\n kernel vmlinuz\n append initrd=initrd.img\n")},
		[]string{"nowhere: file not found", "correct ONTIMEOUT, or add the label"}, []string{"DEFAULT"}},
	{fault{"iPXE is given iPXE again", check.IPXELoop, isBroken, func(s *site) {
		s.remove(configFile)
		s.file("netboot.xyz.kpxe", "not needed")
		s.dhcp.BootFile = "netboot.xyz.kpxe"
		s.dnsmasq()
	}}, []string{"config: DHCP names an iPXE program to iPXE, too", "name a script to iPXE"}, []string{"TFTP server runs"}},
	{fault{"a TFTP server that refuses all options", check.NoConfig, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcpd()
		s.refusesOptions()
	}}, []string{"12 names tried, none found", "put one there"}, []string{"chmod", "refuses"}},
}

// redirects has the web server send those who ask for the kernel on to there.
func redirects(to string) func(*site) {
	return func(s *site) {
		s.config(kernelAt("http://192.168.1.166/moved/vmlinuz"))
		s.dnsmasq()
		s.nginx("location /moved/ { return 302 " + to + "; }")
	}
}

// answersKernel has the web server do that with the kernel.
func answersKernel(statement string) func(*site) {
	return func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		s.nginx("location /vmlinuz { " + statement + " }")
	}
}

// webInnocents are web servers that do another thing than refuse a file.
var webInnocents = []report{
	{fault{"a redirect to a machine that is down", check.FileUnreachable, isBroken, redirects("http://192.168.1.77/vmlinuz")},
		[]string{"it redirects to http://192.168.1.77/vmlinuz", "see that 192.168.1.77, to which 192.168.1.166 redirects, is up"}, []string{"ping"}},
	{fault{"a redirect to a port where no server is", check.HTTPRefused, isBroken, func(s *site) {
		s.host("other", files+"/24")
		redirects("http://192.168.1.5/vmlinuz")(s)
	}},
		[]string{"start the server on 192.168.1.5 ("}, []string{"start the server on 192.168.1.166"}},
	{fault{"redirects in a circle", check.FileUnreadable, isBroken, redirects("http://192.168.1.166/moved/vmlinuz")},
		[]string{"more than 5 redirects", "curl -IL"}, []string{"chmod"}},
	{fault{"a Content-Encoding that is none", check.FileUnreadable, isBroken, answersKernel("add_header Content-Encoding gzip;")},
		[]string{"without Content-Encoding", "AddEncoding"}, []string{"chmod", "flate:"}},
	{fault{"an internal error", check.FileUnreadable, isBroken, answersKernel("return 500;")},
		[]string{"500 Internal Server Error", "see the error log of the web server on 192.168.1.166"}, []string{"chmod"}},
}

func TestWebInnocents(t *testing.T) { testBoots(t, webInnocents) }

// moreInnocents are labs whose hint did not fix them, or would have broken more.
var moreInnocents = []report{
	{fault{"a web server that hangs up", check.FileTruncated, isBroken, func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.request.Timeout = 10 * time.Second
		s.dnsmasq()
		s.hangsUp()
	}}, []string{"of 1000000 bytes", "see the error log of the web server"}, []string{"TFTP", "copy it"}},
	{fault{"a kernel behind a router, and none in the lease", check.FileUnreachable, isBroken, func(s *site) {
		s.config(kernelAt("http://10.7.7.7/vmlinuz"))
		s.dhcp.Router = netip.Addr{}
		s.dnsmasq("--dhcp-option=option:router")
	}}, []string{"name the router of the guest's network in DHCP (option 3): 10.7.7.7 is not in 192.168.1.0/24"}, []string{"see that the server"}},
	{fault{"a comma and a space between initrds", check.FileUnreadable, isBroken, configured("default linux\nlabel linux\n kernel vmlinuz\n append initrd=initrd.img, extra.img quiet\n")},
		[]string{"names stand without spaces, as in initrd=a,b"}, []string{"chmod"}},
	{fault{"a URL with one slash", check.KernelMissing, isBroken, configured(kernelAt("http:/192.168.1.166/vmlinuz"))},
		[]string{"write the URL with two slashes", ": http://192.168.1.166/vmlinuz"}, []string{"put it there"}},
	{fault{"a menu whose labels are in a file that is missing", check.LabelMissing, isBroken, configured("ui menu.c32\nmenu include labels.cfg\n")},
		[]string{"the menu has no entries", "put the file there that INCLUDE names"}, []string{"DEFAULT"}},
	{fault{"a menu without labels", check.LabelMissing, isBroken, configured("ui menu.c32\ntimeout 10\n")},
		[]string{"the menu has no entries", "add a label"}, []string{"DEFAULT"}},
	{fault{"a TFTP server whose disk fails", check.FileUnreadable, isBroken, func(s *site) {
		s.dhcpd()
		s.answers(func(words []string) (reply string, blksize int) {
			if words[0] == kernelFile {
				return "\x00\x05\x00\x00I/O error\x00", 0
			}
			return "", 512
		})
	}}, []string{`said "I/O error" (code 0)`, "see the TFTP server's log"}, []string{"chmod"}},
	{fault{"a DNS server that is silent, and no file in its place", check.DNSSilent, isBroken, func(s *site) {
		s.remove(kernelFile)
		named("--dhcp-option=option:dns-server," + s.deadDNS())(s)
	}}, []string{"see that the DNS server 192.168.1.9 can be reached"}, []string{"put it there"}},
}

// What is advised is what would mend the lab.
func TestMoreInnocents(t *testing.T) { testBoots(t, moreInnocents) }

// saidReports are labs that boot, or that a boot says less of.
var saidReports = []report{
	{fault{"a pxe-service with a dead server, and dhcp-boot with the right one", check.NextServerUnreachable, isBroken, func(s *site) {
		s.wait = 3 * time.Second
		s.proxyHere("--pxe-service=x86PC,Linux,pxelinux,192.168.1.77", "--dhcp-boot=pxelinux.0,,192.168.1.166")
		s.besides()
	}}, []string{"in the proxyDHCP server 192.168.1.166", "in the place of its pxe-service"}, nil},
	{fault{"a boot file in another directory, by a proxy", check.NoConfig, isBroken, func(s *site) {
		s.wait = 3 * time.Second
		s.proxyHere("--pxe-service=x86PC,Linux,nowhere/pxelinux")
		s.besides()
	}}, []string{"in the place of its pxe-service", "pxe-service=x86PC,Boot,pxelinux.0,192.168.1.166"}, nil},
	{fault{"a router with an old boot file, and a proxyDHCP server", check.RogueServer, either, func(s *site) {
		s.wait = 3 * time.Second
		s.proxyHere("--pxe-service=x86PC,Linux,pxelinux")
		s.dhcp.BootFile, s.dhcp.NextServer, s.dhcp.Router = "old/pxelinux.0", noMachine, netip.Addr{}
		s.dnsmasqOn(s.host("router", "192.168.1.1/24"), "")
	}}, []string{"Two servers say what to boot, and not the same: ", "the menu Linux", "old/pxelinux.0"}, nil},
	{fault{"two proxyDHCP servers", check.RogueServer, either, func(s *site) {
		s.wait = 3 * time.Second
		s.proxyHere("--pxe-service=x86PC,Linux,pxelinux")
		labtest.Dnsmasq(s, s.host("second", files+"/24"), "--dhcp-range=192.168.1.0,proxy", "--pxe-service=x86PC,Windows,wdsnbp.com,192.168.1.77")
		s.besides()
	}}, []string{"the menu Linux", "the menu Windows"}, nil},
	{fault{"two proxyDHCP servers, one for UEFI only", check.Fine, fine, func(s *site) {
		s.wait = 3 * time.Second
		s.proxyHere("--pxe-service=x86PC,Linux,pxelinux")
		labtest.Dnsmasq(s, s.host("second", files+"/24"), "--dhcp-range=192.168.1.0,proxy", "--pxe-service=X86-64_EFI,Windows,wdsmgfw.efi")
		s.besides()
	}}, nil, nil},
	{fault{"a router answers ARP for every address", check.AddressInUse, isBroken, func(s *site) {
		s.dnsmasq()
		s.answersARP(s.host("router", "192.168.1.1/24"))
	}}, []string{"A machine answers ARP for every address", "addresses of 192.168.1.0/24 taken at random", "proxy_arp=0", "no ip local-proxy-arp"}, []string{"find that station", "out of the pool"}},
	{fault{"a router answers ARP for every address, and a lease is asked for", check.AddressInUse, isBroken, func(s *site) {
		s.lease = true
		s.dnsmasq()
		s.answersARP(s.host("router", "192.168.1.1/24"))
	}}, []string{"A machine answers ARP for every address", "addresses of 192.168.1.0/24 taken at random", "proxy_arp=0", "no ip local-proxy-arp"}, []string{"find that station", "out of the pool"}},
	{fault{"option 67 comes twice", check.FilenameGarbage, warning, args("--dhcp-option-force=67,other/pxelinux.0")},
		[]string{"name it once", "option 67 twice", "dhcp-option=67"}, []string{"quotes"}},
	{fault{"option 209 names a directory", check.TFTPRefused, warning, args("--dhcp-option-force=209,pxelinux.cfg/")},
		[]string{"refuses tftp://192.168.1.166/pxelinux.cfg/, and so", "option 209"}, []string{"chmod", "put a file"}},
	{fault{"no next-server, and the DHCP server has the files", check.NoNextServer, warning, func(s *site) {
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd("next-server 0.0.0.0;")
		s.tftpd()
	}}, []string{"next-server 192.168.1.166;"}, []string{"ADDRESS-OF"}},
	{fault{"a kernel that is a page", check.KernelNotLinux, isBroken, kernelIs(htmlPage)}, []string{"is a page of HTML, "}, []string{"is HTML page"}},
	{fault{"the server's netmask leaves the guest out", check.TFTPSilent, isBroken, func(s *site) {
		s.dhcpd()
		s.tftpd()
		labtest.Check(s, s.lab().Servers.Do(func() error {
			eth0, err := netlink.LinkByName(lab.HostInterface)
			if err != nil {
				return err
			}
			address := &netlink.Addr{IPNet: &net.IPNet{IP: server.AsSlice(), Mask: net.CIDRMask(24, 32)}}
			return errors.Join(labtest.AddAddress(lab.HostInterface, server.String()+"/32"), netlink.AddrDel(eth0, address))
		}))
	}}, []string{"there: ip route get 192.168.1.199"}, nil},
}

func TestSaid(t *testing.T) { testReports(t, saidReports) }

// answersARP has a machine answer ARP for whatever address is asked for.
func (s *site) answersARP(h *lab.Host) {
	s.Helper()
	var wire *packet.Conn
	labtest.Check(s, h.Do(func() error {
		wire = labtest.Wire(s, lab.HostInterface)
		return nil
	}))
	s.Cleanup(func() { wire.Close() })
	go func() {
		b := make([]byte, 1514)
		for {
			n, _, err := wire.ReadFrom(b)
			if err != nil {
				return // closed
			}
			if n < 42 || b[12] != 8 || b[13] != 6 || b[21] != 1 { // no request
				continue
			}
			reply := slices.Concat(b[6:12], h.MAC, b[12:20], []byte{0, 2}, h.MAC, b[38:42], b[22:32])
			_, _ = wire.WriteTo(reply, &packet.Addr{HardwareAddr: net.HardwareAddr(reply[:6])})
		}
	}()
}

// hangsUp is a web server that sends the beginning of each file.
func (s *site) hangsUp() {
	s.Helper()
	var l net.Listener
	labtest.Check(s, s.lab().Servers.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":80")
		return err
	}))
	s.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"+linux(nil)[:50000])
			conn.Close()
		}
	}()
}

func TestInnocents(t *testing.T) { testBoots(t, innocents) }

// refusesOptions is a TFTP server that answers each request with options by error 8
// (RFC 2347).
func (s *site) refusesOptions() {
	s.Helper()
	s.answers(func(words []string) (reply string, blksize int) {
		if len(words) > len([]string{"name", "octet", ""}) {
			return "\x00\x05\x00\x08no options\x00", 0
		}
		return "", 512
	})
}
