package labs

import (
	"bytes"
	"debug/elf"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/vishvananda/netlink"
)

// otherFaults are what administrators do besides: each belongs to one of the
// causes above, or to none.
var otherFaults = []fault{
	{"lines end as in DOS", check.Fine, fine, configured(strings.ReplaceAll(goodConfig, "\n", "\r\n"))},
	{"configuration begins with a byte order mark", check.ConfigProblems, warning, configured("\ufeff# by an editor\n" + goodConfig)},
	{"configuration is UTF-16", check.NoDefault, isBroken, configured("\xff\xfe" + strings.Join(strings.Split(goodConfig, ""), "\x00") + "\x00")},
	{"configuration is a web page", check.NoDefault, isBroken, configured("<html><head><title>Hello</title></head><body>\n<p>default page</p></body></html>\n")},
	{"an INCLUDE that is not there", check.Fine, fine, configured(goodConfig + "include more.cfg\n")},
	{"kernel answers 500", check.FileUnreadable, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n")
		s.dnsmasq()
		s.nginx("location /vmlinuz { return 500; }")
	}},
	{"kernel is a directory", check.FileUnreadable, isBroken, func(s *site) {
		s.remove(kernelFile)
		labtest.Check(s, os.Mkdir(filepath.Join(s.tree, kernelFile), 0o755))
		s.dhcpd()
		s.tftpd()
	}},
	{"option 66 is a name, and no next-server", check.NoNextServer, isBroken, func(s *site) {
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd(`option tftp-server-name "tftp.lab.example";`)
		_, err := real.TFTPD(s.Context(), s.host("tftp", "192.168.1.5/24"), s.tree)
		labtest.Check(s, err)
	}},
	{"boot file in quotes", check.FilenameGarbage, isBroken, func(s *site) {
		s.dhcp.BootFile = `"pxelinux.0"`
		s.dhcpd()
		s.tftpd()
	}},
	{"boot file in a directory that is not there", check.NoConfig, isBroken, func(s *site) {
		s.dhcp.BootFile = "/srv/tftp/pxelinux.0"
		s.dhcpd()
		s.tftpd()
	}},
	{"boot file in a directory, with its files", check.Fine, fine, func(s *site) {
		s.dhcp.BootFile = "xen/pxelinux.0"
		for _, name := range []string{"pxelinux.0", kernelFile, initrdFile} {
			s.move(name, "xen/"+name)
		}
		s.move(configFile, "xen/"+configFile)
		s.dhcpd()
		s.tftpd()
	}},
	{"DHCP server is slow", check.Fine, fine, args("--dhcp-reply-delay=1")},
	{"path prefix by option 210, to nginx", check.Fine, fine, func(s *site) {
		s.dnsmasq("--dhcp-option-force=210,http://192.168.1.166/")
		s.nginx("")
	}},
	{"path prefix by option 210, to nobody", check.ConfigUnreadable, isBroken, args("--dhcp-option-force=210,http://192.168.1.77/")},
	{"configuration file by option 209", check.Fine, fine, func(s *site) {
		s.move(configFile, "lab.cfg")
		s.dnsmasq("--dhcp-option-force=209,lab.cfg")
	}},
	{"configuration file by option 209 is not there", check.NoConfig, isBroken, func(s *site) {
		s.remove(configFile)
		s.dnsmasq("--dhcp-option-force=209,lab.cfg")
	}},
	{"--server and --bootfile put it right", check.Fine, fine, func(s *site) {
		s.dhcp.NextServer, s.dhcp.BootFile = noMachine, ""
		s.request.Server, s.request.BootFile = server, "pxelinux.0"
		s.dnsmasq()
	}},
	{"a menu", check.Fine, fine, configured("ui vesamenu.c32\ntimeout 50\nlabel linux\n menu label ^Linux\n menu default\n kernel vmlinuz\n append initrd=initrd.img\n")},
	{"a menu without a timeout", check.Fine, fine, configured("ui menu.c32\nlabel linux\n kernel vmlinuz\n append initrd=initrd.img\n")},
	{"dom0's entry with mboot.c32", check.ConfigProblems, warning, configured("default xen\nlabel xen\n kernel mboot.c32\n append xen.gz dom0_mem=1G --- vmlinuz quiet --- initrd.img\n")},
	{"kernel is pxelinux.0", check.BootProgram, isBroken, configured("default linux\nlabel linux\n kernel pxelinux.0\n")},
	{"kernel is memdisk", check.KernelNotLinux, isBroken, with(func(s *site) {
		image := []byte(linux(nil))
		copy(image[0x300:], "MEMDISK 6.04\x00")
		s.config("default disk\nlabel disk\n kernel memdisk\n initrd vmlinuz\n")
		s.file("memdisk", string(image))
	})},
	{"kernel is a text", check.KernelNotLinux, isBroken, with(func(s *site) { s.file(kernelFile, "Download vmlinuz from the mirror.\n") })},
	{"kernel has a byte that fell over", check.KernelNotLinux, isBroken, with(func(s *site) {
		s.file(kernelFile, strings.Replace(linux(fake.Notes(true, true)), "HdrS", "HdrT", 1))
	})},
	{"kernel is for i386 with PAE", check.Fine, fine, with(func(s *site) {
		s.file(kernelFile, string(fake.BzImage(fake.Vmlinux(elf.EM_386, make([]byte, 1000), fake.Notes(true, true), elf.SHT_NULL))))
	})},
	{"Debian's kernel, packed with xz", check.Fine, fine, with(func(s *site) { s.debian("kernel-dom0") })},
	{"Debian's kernel, packed with LZ4", check.Fine, fine, with(func(s *site) { s.debian("kernel-guest") })},
	{"Debian's kernel, half of it", check.FileTruncated, isBroken, with(func(s *site) {
		s.debian("kernel-dom0")
		labtest.Check(s, os.Truncate(filepath.Join(s.tree, kernelFile), 4<<20))
	})},
	{"dhcpd knows other guests only", check.PoolEmpty, isBroken, func(s *site) {
		s.elsewhere()
		s.dhcp.First = s.dhcp.Fixed[lab.SampleMAC]
		s.dhcp.Last, s.dhcp.Fixed = s.dhcp.First, nil
		s.dhcpd("authoritative;", "deny unknown-clients;")
		s.tftpd()
	}},
	{"dhcpd declares the guest in another subnet", check.PoolEmpty, isBroken, func(s *site) {
		s.elsewhere()
		s.dhcp.Fixed[lab.SampleMAC] = noMachine
		s.dhcpd("authoritative;")
		s.tftpd()
	}},
	{"DEFAULT in another case", check.LabelMissing, isBroken, configured(strings.Replace(goodConfig, "default linux", "default Linux", 1))},
	{"atftpd and dhcpd, kernel is missing", check.KernelMissing, isBroken, func(s *site) {
		s.remove(kernelFile)
		s.dhcpd()
		s.atftpd()
	}},
	{"kea and tftpd-hpa, configuration is empty", check.ConfigEmpty, isBroken, func(s *site) {
		s.config("")
		s.kea()
		s.tftpd()
	}},
	{"MTU of the bridge is larger than the network's", check.TFTPLargeBlocks, either, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if len(frame) > 14+1400 {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
	{"the first answers are lost", check.PacketLoss, warning, func(s *site) {
		first := []byte(nil)
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			const xid = 14 + 20 + 8 + 4
			if isUDP(frame) && toServer && port(frame, 36) == 67 && first == nil {
				first = bytes.Clone(frame[xid : xid+4])
			}
			if isUDP(frame) && !toServer && len(frame) > 240 && bytes.Equal(frame[xid:xid+4], first) {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
	{"netmask leaves the server out", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.Router = netip.Addr{}
		s.dnsmasq("--dhcp-option=option:netmask,255.255.255.224", "--dhcp-option=option:router")
	}},
	{"server died after DHCP", check.TFTPSilent, isBroken, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if isUDP(frame) && toServer && port(frame, 36) != 67 {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
	{"proxyDHCP that names a dead server, and has the files", check.NextServerWrong, isBroken, func(s *site) {
		s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		s.dnsmasqOn(s.lab().Servers, "")
		s.proxyFor(noMachine)
	}},
	{"two dnsmasqs with the same configuration", check.Fine, fine, func(s *site) {
		s.dnsmasq()
		s.dnsmasqOn(s.host("second", "192.168.1.5/24"), s.tree)
	}},
	{"the server's own address is in the pool", check.AddressInUse, warning, func(s *site) {
		s.dhcp.Fixed[lab.SampleMAC] = server
		s.dhcpd()
		s.tftpd()
	}},
	{"the bridge has no ports but is fine", check.NoUplink, isBroken, func(s *site) {
		for _, port := range labtest.Ports(s, s.lab()) {
			labtest.Check(s, netlink.LinkSetNoMaster(port))
		}
	}},
}

// move moves a file of the tree.
func (s *site) move(from, to string) {
	s.Helper()
	content, err := os.ReadFile(filepath.Join(s.tree, from))
	labtest.Check(s, err)
	s.remove(from)
	s.file(to, string(content))
}

// debian puts a kernel of Debian into the tree, where internal/xenlab has one.
func (s *site) debian(which string) {
	s.Helper()
	found, err := filepath.Glob(filepath.Join("../../../build/xenlab", which, "boot/vmlinuz-*"))
	if err != nil || len(found) == 0 {
		labtest.Missing(s, "Debian's kernels: make test-xen fetches them")
	}
	content, err := os.ReadFile(found[0])
	labtest.Check(s, err)
	s.file(kernelFile, string(content))
}
