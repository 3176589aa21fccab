package labs

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// fault is one way to break a lab, or none.
type fault struct {
	name string
	code check.Code
	exit int
	make func(*site)
}

const (
	fine     = iota
	warning  // the guest boots all the same
	isBroken // it does not
	either   // as it comes
)

var (
	server    = lab.ServersAddress.Addr()
	noMachine = netip.MustParseAddr("192.168.1.77") // no machine has that address
)

// with is a healthy lab after one change.
func with(change func(*site)) func(*site) {
	return func(s *site) {
		s.Helper()
		change(s)
		s.dnsmasq()
	}
}

// configured is a healthy lab with this configuration.
func configured(text string) func(*site) {
	return with(func(s *site) { s.config(text) })
}

// args is a healthy lab whose dnsmasq has these arguments more.
func args(more ...string) func(*site) {
	return func(s *site) { s.Helper(); s.dnsmasq(more...) }
}

var healthy = []fault{
	{"dnsmasq", check.Fine, fine, args()},
	{"dhcpd and tftpd-hpa", check.Fine, fine, func(s *site) { s.dhcpd(); s.tftpd() }},
	{"kea and atftpd", check.Fine, fine, func(s *site) { s.kea(); s.atftpd() }},
	{"dnsmasq, looked at from dom0's own network", check.Fine, fine, func(s *site) {
		s.elsewhere()
		s.request.Net = guest.Dom0
		s.dnsmasq()
	}},
	{"embedded", check.Fine, fine, func(s *site) {
		labtest.Check(s, s.lab().Servers.ServeDHCP(s.dhcp))
		labtest.Check(s, s.lab().Servers.ServeTFTP(s.tree))
	}},
	{"kernel and initrd from nginx", check.Fine, fine, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/vmlinuz\n initrd http://192.168.1.166/initrd.img\n")
		s.dnsmasq()
		s.nginx("")
	}},
	{"request and release", check.Fine, fine, with(func(s *site) { s.lease = true })},
	{"the sample tree", check.Fine, fine, with(func(s *site) {
		s.remove(configFile)
		labtest.Check(s, lab.SampleTree(s.tree))
	})},
	{"default for everybody", check.Fine, fine, with(func(s *site) {
		s.remove(configFile)
		s.file("pxelinux.cfg/default", goodConfig)
	})},
	{"local boot", check.Fine, fine, configured("default disk\nlabel disk\n localboot 0\n")},
	{"proxyDHCP beside a server", check.Fine, fine, func(s *site) {
		s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		s.dnsmasqOn(s.lab().Servers, "")
		s.proxy()
	}},
}

var bridgeFaults = []fault{
	{"bridge is down", check.BridgeDown, isBroken, func(s *site) {
		s.dnsmasq()
		link, err := netlink.LinkByName(s.lab().Bridge())
		labtest.Check(s, err)
		labtest.Check(s, netlink.LinkSetDown(link))
	}},
	{"guest runs already", check.MACInUse, warning, func(s *site) {
		s.elsewhere()
		s.dnsmasq()
		s.runs()
	}},
	{"guest runs already, and its own port is wanted", check.MACInUse, either, func(s *site) {
		s.dnsmasq()
		s.twin()
		s.request.Net = guest.Own
	}},
	{"spanning tree listens", check.STPBlocking, isBroken, func(s *site) {
		s.dnsmasq()
		s.spanningTree(15 * time.Second)
	}},
	{"spanning tree delays new ports", check.STPBlocking, warning, func(s *site) {
		labtest.SpanningTree(s, s.lab(), 2*time.Second)
		s.request.Net = guest.Own
		s.dnsmasq()
	}},
	{"no network card in the bridge", check.NoUplink, isBroken, func(s *site) {
		s.dnsmasq()
		for _, port := range labtest.Ports(s, s.lab()) {
			labtest.Check(s, netlink.LinkSetNoMaster(port))
		}
	}},
	{"only guests in the bridge", check.NoUplink, isBroken, func(s *site) {
		s.host("another guest", "192.168.1.20/24")
		for _, port := range labtest.Ports(s, s.lab()) {
			if !bytes.Equal(port.Attrs().HardwareAddr, net.HardwareAddr{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}) {
				labtest.Check(s, netlink.LinkSetNoMaster(port))
			}
		}
	}},
	{"cable is out", check.NoUplink, isBroken, func(s *site) {
		s.dnsmasq()
		labtest.Check(s, s.lab().Servers.Do(func() error {
			eth0, err := netlink.LinkByName("eth0")
			if err != nil {
				return err
			}
			return netlink.LinkSetDown(eth0)
		}))
	}},
	{"guest in a VLAN, server in none", check.VLANMismatch, isBroken, with(func(s *site) { s.request.VLAN = 10 })},
}

var dhcpFaults = []fault{
	{"no DHCP server", check.NoServer, isBroken, func(s *site) { s.tftpd() }},
	{"answers for UEFI only", check.OtherArchOnly, isBroken, args("--dhcp-match=set:efi,option:client-arch,7", "--dhcp-ignore=tag:!efi")},
	{"boot file for UEFI only", check.OtherArchOnly, isBroken, func(s *site) {
		s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		s.dnsmasq("--dhcp-match=set:efi,option:client-arch,7", "--dhcp-boot=tag:efi,bootx64.efi")
	}},
	{"ignores PXE clients", check.OnlyWithout60, isBroken, args("--dhcp-vendorclass=set:pxe,PXEClient", "--dhcp-ignore=tag:pxe")},
	{"ignores all but PXE clients", check.NeedsOption60, isBroken, func(s *site) {
		s.request.ROM.VendorClass = "anaconda"
		s.dnsmasq("--dhcp-vendorclass=set:pxe,PXEClient", "--dhcp-ignore=tag:!pxe")
	}},
	{"broadcasts get lost", check.OnlyUnicast, isBroken, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if !toServer && frame[0] == 0xff && frame[12] == 8 && frame[13] == 0 {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
	{"MAC is ignored", check.MACNotServed, isBroken, func(s *site) {
		s.dhcp.Fixed = nil
		s.dhcp.First, s.dhcp.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr("192.168.1.60")
		s.dnsmasq("--dhcp-host=" + lab.SampleMAC + ",ignore")
	}},
	{"MAC is denied by dhcpd", check.MACNotServed, isBroken, func(s *site) {
		s.dhcp.Fixed = nil
		s.dhcp.First, s.dhcp.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr("192.168.1.60")
		s.dhcpd("authoritative;", "host denied { hardware ethernet "+lab.SampleMAC+"; deny booting; }")
	}},
	{"no address for unknown guests", check.PoolEmpty, isBroken, func(s *site) {
		s.elsewhere()
		s.dhcp.Fixed = nil // and the range is static
		s.dnsmasq()
	}},
	{"pool is used up", check.PoolEmpty, isBroken, func(s *site) {
		s.dhcp.Fixed = nil
		s.dhcp.First = netip.MustParseAddr("192.168.1.50")
		s.dhcp.Last = s.dhcp.First
		s.dhcpd("authoritative;", "ping-check false;")
		s.takeLease()
		s.tftpd()
	}},
	{"pool of kea is used up", check.PoolEmpty, isBroken, func(s *site) {
		s.elsewhere()
		s.dhcp.First = s.dhcp.Fixed[lab.SampleMAC]
		s.dhcp.Last, s.dhcp.Fixed = s.dhcp.First, nil
		s.kea()
		s.takeLease()
		s.atftpd()
	}},
	{"proxyDHCP only", check.ProxyOnly, isBroken, func(s *site) { s.proxy() }},
	{"rogue server wins", check.RogueServer, isBroken, func(s *site) {
		s.dnsmasq("--dhcp-reply-delay=1")
		rogue := s.host("rogue", "192.168.1.5/24")
		s.dhcp.NextServer = rogue.Address.Addr()
		s.dnsmasqOn(rogue, labtest.TempDir(s.T))
	}},
	{"rogue server loses", check.RogueServer, warning, func(s *site) {
		s.dnsmasq()
		rogue := s.host("rogue", "192.168.1.5/24")
		s.dhcp.NextServer, s.dhcp.BootFile = rogue.Address.Addr(), "other.0"
		s.dnsmasqOn(rogue, "", "--dhcp-reply-delay=1")
	}},
	{"server of another network leaks in", check.WrongVLANServer, isBroken, func(s *site) {
		s.elsewhere()
		s.dnsmasq("--dhcp-reply-delay=1")
		s.leak()
	}},
	{"address is somebody's", check.AddressInUse, warning, func(s *site) {
		s.host("squatter", lab.SampleAddress.String()+"/24")
		s.dnsmasq()
	}},
	{"offers and refuses", check.Nak, isBroken, func(s *site) { s.lease = true; s.offers(dhcpv4.MessageTypeNak); s.tftpd() }},
	{"offers and does not confirm", check.NoAck, isBroken, func(s *site) { s.lease = true; s.offers(dhcpv4.MessageTypeNone); s.tftpd() }},
	{"no next-server, and TFTP is on another machine", check.NoNextServer, isBroken, func(s *site) {
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd()
		_, err := real.TFTPD(s.Context(), s.host("tftp", "192.168.1.5/24"), s.tree)
		labtest.Check(s, err)
	}},
	{"no next-server, and TFTP is here", check.NoNextServer, warning, func(s *site) {
		s.dhcp.NextServer = netip.Addr{}
		s.dhcpd("server-identifier 192.168.1.166;")
		s.tftpd()
	}},
	{"no boot file from dnsmasq", check.NoFilename, isBroken, with(func(s *site) { s.dhcp.BootFile = "" })},
	{"no boot file from kea", check.NoFilename, isBroken, func(s *site) { s.dhcp.BootFile = ""; s.kea(); s.atftpd() }},
	{"boot file with a line end", check.FilenameGarbage, isBroken, func(s *site) {
		s.dhcp.BootFile = "pxelinux.0\r"
		s.dhcpd()
		s.tftpd()
	}},
	{"boot file with a comment that has a path", check.FilenameGarbage, isBroken, func(s *site) {
		s.dhcp.BootFile = "pxelinux.0 in /srv/tftp"
		s.dhcpd()
		s.tftpd()
	}},
}

var serverFaults = []fault{
	{"next-server is nobody", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer = noMachine
		s.dnsmasqOn(s.lab().Servers, "")
	}},
	{"next-server is in another network, without a router", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), netip.Addr{}
		s.dhcpd()
	}},
	{"next-server is behind a router that is down", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), noMachine
		s.dhcpd()
	}},
	{"next-server has no TFTP, and the DHCP server has", check.NextServerWrong, isBroken, func(s *site) {
		s.dhcp.NextServer = s.host("wrong", "192.168.1.5/24").Address.Addr()
		s.dnsmasq()
	}},
	{"next-server has another tree", check.NextServerWrong, isBroken, func(s *site) {
		wrong := s.host("wrong", "192.168.1.5/24")
		_, err := real.TFTPD(s.Context(), wrong, labtest.TempDir(s.T))
		labtest.Check(s, err)
		s.dhcp.NextServer = wrong.Address.Addr()
		s.dnsmasq()
	}},
	{"TFTP is not started", check.TFTPNotRunning, isBroken, func(s *site) { s.dhcpd() }},
	{"TFTP does not answer", check.TFTPSilent, isBroken, func(s *site) {
		s.dhcpd()
		s.deaf(s.lab().Servers)
	}},
	{"a firewall drops what TFTP sends", check.TFTPSilent, isBroken, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if isUDP(frame) && !toServer && port(frame, 34) != dhcpv4.ServerPort {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
	{"TFTP may not read the configuration", check.TFTPRefused, isBroken, func(s *site) {
		labtest.Check(s, os.Chmod(filepath.Join(s.tree, configFile), 0o600))
		s.dhcpd()
		s.tftpd()
	}},
	{"TFTP may not read the guest's, and default boots", check.TFTPRefused, warning, func(s *site) {
		labtest.Check(s, os.Chmod(filepath.Join(s.tree, configFile), 0o600))
		s.file("pxelinux.cfg/default", goodConfig)
		s.dhcpd()
		s.tftpd()
	}},
	{"large blocks get lost", check.TFTPLargeBlocks, either, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if !toServer && len(frame) > 1000 {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
}

var configFaults = []fault{
	{"no configuration", check.NoConfig, isBroken, with(func(s *site) { s.remove(configFile) })},
	{"another root directory", check.NoConfig, isBroken, with(func(s *site) { s.tree = labtest.TempDir(s.T) })},
	{"configuration is empty", check.ConfigEmpty, isBroken, configured("")},
	{"configuration is empty, and default boots", check.ConfigEmpty, warning, with(func(s *site) {
		s.config("")
		s.file("pxelinux.cfg/default", goodConfig)
	})},
	{"configuration with an upper-case MAC", check.ConfigMisnamed, isBroken, with(func(s *site) {
		s.remove(configFile)
		s.file("pxelinux.cfg/01-00-16-3E-72-79-E3", goodConfig)
	})},
	{"configuration without 01-", check.ConfigMisnamed, isBroken, with(func(s *site) {
		s.remove(configFile)
		s.file("pxelinux.cfg/00-16-3e-72-79-e3", goodConfig)
	})},
	{"configuration with colons, and default boots", check.ConfigMisnamed, warning, with(func(s *site) {
		s.remove(configFile)
		s.file("pxelinux.cfg/01:00:16:3e:72:79:e3", goodConfig)
		s.file("pxelinux.cfg/default", goodConfig)
	})},
	{"configuration is too large", check.ConfigUnreadable, isBroken, configured(goodConfig + strings.Repeat("# nothing\n", 2_000_000))},
	{"no DEFAULT", check.NoDefault, isBroken, configured("label linux\n kernel vmlinuz\n")},
	{"DEFAULT names no label", check.LabelMissing, isBroken, configured("default linus\nlabel linux\n kernel vmlinuz\n")},
	{"--label names no label", check.LabelMissing, isBroken, with(func(s *site) { s.request.Label = "install" })},
	{"COM32 only", check.COM32Only, isBroken, configured("default hdt\nlabel hdt\n com32 hdt.c32\n")},
	{"a boot program", check.BootProgram, isBroken, configured("default memtest\nlabel memtest\n kernel memtest.0\n")},
	{"mboot.c32 with a hypervisor and no kernel", check.NotBootable, isBroken, configured("default xen\nlabel xen\n kernel mboot.c32\n append xen.gz dom0_mem=1G\n")},
	{"a prompt without a timeout", check.Fine, fine, configured("prompt 1\n" + goodConfig)},
	{"a keyword that is none", check.ConfigProblems, warning, configured("defualt linux\n" + goodConfig)},
}

var fileFaults = []fault{
	{"kernel is not there", check.KernelMissing, isBroken, with(func(s *site) { s.remove(kernelFile) })},
	{"kernel is not there, by nginx", check.KernelMissing, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/missing\n")
		s.dnsmasq()
		s.nginx("")
	}},
	{"kernel's path is absolute", check.KernelMissing, isBroken, with(func(s *site) {
		s.config("default linux\nlabel linux\n kernel /srv/tftp/vmlinuz\n append initrd=initrd.img\n")
	})},
	{"initrd is not there", check.InitrdMissing, isBroken, with(func(s *site) { s.remove(initrdFile) })},
	{"kernel may not be read", check.FileUnreadable, isBroken, func(s *site) {
		labtest.Check(s, os.Chmod(filepath.Join(s.tree, kernelFile), 0o600))
		s.dhcpd()
		s.tftpd()
	}},
	{"initrd may not be read", check.FileUnreadable, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel vmlinuz\n initrd http://192.168.1.166/initrd.img\n")
		s.dnsmasq()
		s.nginx("location /initrd.img { deny all; }")
	}},
	{"kernel's server is nobody", check.FileUnreachable, isBroken, configured("default linux\nlabel linux\n kernel http://192.168.1.77/vmlinuz\n")},
	{"kernel is cut off", check.FileTruncated, isBroken, with(func(s *site) {
		labtest.Check(s, os.Truncate(filepath.Join(s.tree, kernelFile), 100_000))
	})},
	{"initrd is empty", check.FileTruncated, isBroken, with(func(s *site) { s.file(initrdFile, "") })},
	{"kernel is a web page", check.KernelNotLinux, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel http://192.168.1.166/missing\n")
		s.file("sorry.html", "<html><head><title>Sorry</title></head><body>Not here.</body></html>\n")
		s.dnsmasq()
		s.nginx("error_page 404 =200 /sorry.html;")
	}},
	{"kernel is the initrd", check.KernelNotLinux, isBroken, configured("default linux\nlabel linux\n kernel initrd.img\n append initrd=vmlinuz\n")},
	{"kernel is the hypervisor", check.KernelNotLinux, isBroken, with(func(s *site) {
		s.file(kernelFile, strings.Repeat("\x90", 4096)+"\x02\xb0\xad\x1b\x03\x00\x00\x00\xfb\x4f\x52\xe4"+strings.Repeat("\x90", 9000))
	})},
	{"kernel is for arm64", check.KernelWrongArch, isBroken, with(func(s *site) {
		s.file(kernelFile, "MZ"+strings.Repeat("\x00", 54)+"ARM\x64"+strings.Repeat("\x00", 9000))
	})},
	{"kernel is not for Xen", check.KernelNoXen, isBroken, with(func(s *site) { s.file(kernelFile, linux(nil)) })},
	{"kernel is for PVH only", check.KernelNoXen, warning, with(func(s *site) { s.file(kernelFile, linux(fake.Notes(false, true))) })},
	{"command line is too long", check.ArgsTooLong, isBroken, configured(goodConfig + " append initrd=initrd.img " + strings.Repeat("x=yz ", 240) + "\n")},
	{"command line is a little too long", check.ArgsTooLong, warning, configured(goodConfig + " append initrd=initrd.img " + strings.Repeat("x", 1000) + "\n")},
	{"no room", check.NoSpace, isBroken, func(s *site) {
		labtest.Check(s, unix.Mount("tmpfs", s.request.OutputDirectory, "tmpfs", 0, "size=100k"))
		s.Cleanup(func() { unix.Unmount(s.request.OutputDirectory, unix.MNT_DETACH) })
		s.dnsmasq()
	}},
	{"downloads take too long", check.TooSlow, isBroken, func(s *site) {
		labtest.Check(s, os.Truncate(filepath.Join(s.tree, initrdFile), 50<<20))
		s.file(kernelFile, linux(fake.Notes(true, true))+strings.Repeat("signature", 15000))
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if !toServer && len(frame) > 1000 {
				time.Sleep(5 * time.Millisecond)
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}},
	{"a storm, and a small pool", check.StormLoss, warning, func(s *site) {
		s.dhcp.First, s.dhcp.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr("192.168.1.54")
		s.count = 20
		s.dhcpd("ping-check false;")
	}},
}

// Two things are wrong, and the first one is the cause that is named.
var twoFaults = []fault{
	{"no boot file, no TFTP", check.NoFilename, isBroken, func(s *site) { s.dhcp.BootFile = ""; s.dnsmasqOn(s.lab().Servers, "") }},
	{"no TFTP, and no configuration", check.TFTPNotRunning, isBroken, func(s *site) { s.remove(configFile); s.dhcpd() }},
	{"no uplink, and a guest's server is for UEFI only", check.OtherArchOnly, isBroken, func(s *site) {
		s.dnsmasqOn(s.host("a guest", "192.168.1.20/24"), s.tree, "--dhcp-match=set:efi,option:client-arch,7", "--dhcp-ignore=tag:!efi")
		for _, port := range labtest.Ports(s, s.lab()) {
			if !bytes.Equal(port.Attrs().HardwareAddr, net.HardwareAddr{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}) {
				labtest.Check(s, netlink.LinkSetNoMaster(port))
			}
		}
	}},
	{"label is missing, and so is the kernel", check.LabelMissing, isBroken, with(func(s *site) {
		s.config("default linus\nlabel linux\n kernel vmlinuz\n")
		s.remove(kernelFile)
	})},
	{"kernel is missing, and the command line too long", check.KernelMissing, isBroken, with(func(s *site) {
		s.config(goodConfig + " append " + strings.Repeat("x=yz ", 240) + "\n")
		s.remove(kernelFile)
	})},
	{"kernel and initrd are missing", check.KernelMissing, isBroken, with(func(s *site) { s.remove(kernelFile); s.remove(initrdFile) })},
	{"initrd is missing, and the kernel not for Xen", check.InitrdMissing, isBroken, with(func(s *site) {
		s.remove(initrdFile)
		s.file(kernelFile, linux(nil))
	})},
	{"next-server is nobody, and the name has garbage", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.BootFile = noMachine, "pxelinux.0\r"
		s.dhcpd()
	}},
	{"prompt without a timeout, and no kernel", check.KernelMissing, isBroken, with(func(s *site) {
		s.config("prompt 1\n" + goodConfig)
		s.remove(kernelFile)
	})},
	{"configuration misnamed, and default without a kernel", check.KernelMissing, isBroken, with(func(s *site) {
		s.remove(configFile)
		s.file("pxelinux.cfg/00-16-3e-72-79-e3", goodConfig)
		s.file("pxelinux.cfg/default", goodConfig)
		s.remove(kernelFile)
	})},
}

// TestBroken breaks labs, and counts how many of them are named.
func TestBroken(t *testing.T) {
	t.Parallel()
	var labs, looked, broken, named atomic.Int32
	began := time.Now()
	t.Run("labs", func(t *testing.T) {
		for _, group := range []struct {
			name   string
			faults []fault
		}{
			{"healthy", healthy}, {"bridge", bridgeFaults}, {"DHCP", dhcpFaults}, {"server", serverFaults},
			{"configuration", configFaults}, {"files", fileFaults}, {"two faults", twoFaults}, {"other", otherFaults}, {"field", faultsOf(fieldFaults)},
			{"iPXE", faultsOf(ipxeFaults)},
		} {
			for _, f := range group.faults {
				t.Run(group.name+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					labs.Add(1)
					if f.code != check.Fine {
						broken.Add(1)
					}
					s := newSite(t)
					f.make(s)
					facts, report := s.lookAt()
					looked.Add(1)
					if report.Verdict.Code == f.code && (report.ExitCode() == f.exit || f.exit == either && report.ExitCode() != fine) {
						if f.code != check.Fine {
							named.Add(1)
						}
						if words := says(f.name); !strings.Contains(report.Verdict.Evidence+report.Verdict.Hint, words) {
							t.Errorf("%q is neither in the evidence nor in the hint: %+v", words, report.Verdict)
						}
						return
					}
					t.Errorf("verdict %s (exit %d): %s\n%s\nwant %s (exit %d)\n%s", report.Verdict.Code, report.ExitCode(),
						report.Verdict.Summary, report.Verdict.Evidence, f.code, f.exit, dump(facts, report))
				})
			}
		}
	})
	if looked.Load() < labs.Load()/2 {
		t.Errorf("%d of %d labs could be made: that says nothing; .ci/servers fetches their servers", looked.Load(), labs.Load())
	}
	t.Attr("check", fmt.Sprintf("%d of %d broken labs named, in %v", named.Load(), broken.Load(), time.Since(began).Round(time.Second)))
}

func isUDP(frame []byte) bool {
	return len(frame) >= 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == unix.IPPROTO_UDP
}

func port(frame []byte, at int) int { return int(frame[at])<<8 | int(frame[at+1]) }

// offers starts a DHCP server that offers, and answers REQUEST with that.
func (s *site) offers(answer dhcpv4.MessageType) {
	s.Helper()
	h := s.lab().Servers
	var conn *net.UDPConn
	labtest.Check(s, h.Do(func() (err error) {
		conn, err = server4.NewIPv4UDPConn("eth0", &net.UDPAddr{Port: dhcpv4.ServerPort})
		return err
	}))
	s.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return // closed
			}
			m, err := dhcpv4.FromBytes(b[:n])
			if err != nil {
				continue
			}
			kind := dhcpv4.MessageTypeOffer
			if m.MessageType() == dhcpv4.MessageTypeRequest {
				kind = answer
			} else if m.MessageType() != dhcpv4.MessageTypeDiscover {
				continue
			}
			if kind == dhcpv4.MessageTypeNone {
				continue
			}
			modifiers := []dhcpv4.Modifier{dhcpv4.WithMessageType(kind), dhcpv4.WithServerIP(server.AsSlice()), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server.AsSlice()))}
			if kind == dhcpv4.MessageTypeOffer {
				modifiers = append(modifiers, dhcpv4.WithYourIP(lab.SampleAddress.AsSlice()), dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithLeaseTime(3600))
			} else {
				modifiers = append(modifiers, dhcpv4.WithOption(dhcpv4.OptMessage("no more")))
			}
			reply, err := dhcpv4.NewReplyFromRequest(m, modifiers...)
			if err != nil {
				continue
			}
			reply.BootFileName = "pxelinux.0"
			conn.WriteTo(reply.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ClientPort})
		}
	}()
}

// takeLease has another guest take an address.
func (s *site) takeLease() {
	s.Helper()
	h := s.host("first", "")
	var conn *dhcpclient.Conn
	labtest.Check(s, h.Do(func() (err error) {
		conn, err = dhcpclient.Listen("eth0", dhcpclient.Config{})
		return err
	}))
	defer conn.Close()
	if _, err := (&dhcpclient.Client{Conn: conn, MAC: h.MAC}).Lease(s.Context()); err != nil && !errors.Is(err, dhcpclient.ErrInUse) {
		s.Fatal(err)
	}
}

// deaf listens on the TFTP port, and that is all.
func (s *site) deaf(h *lab.Host) {
	s.Helper()
	labtest.Check(s, h.Do(func() error {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 69})
		if err == nil {
			s.Cleanup(func() { conn.Close() })
		}
		return err
	}))
}

// proxy is a proxyDHCP server on a machine of its own, which has the files.
func (s *site) proxy() { s.Helper(); s.proxyFor(netip.MustParseAddr("192.168.1.167")) }

// proxyFor is one that says where else to boot from.
func (s *site) proxyFor(next netip.Addr) {
	s.Helper()
	labtest.Dnsmasq(s, s.host("proxy", "192.168.1.167/24"), "--enable-tftp", "--tftp-root="+s.tree,
		"--dhcp-range=192.168.1.0,proxy", "--dhcp-boot=pxelinux.0,,"+next.String(), "--pxe-service=x86PC,Boot,pxelinux,"+next.String())
}

// networks numbers the networks of sites that have one of their own.
var networks atomic.Int32

// elsewhere moves the site to a network of its own, in which dom0 has an
// address too: labs share one dom0.
func (s *site) elsewhere() {
	n := byte(100 + networks.Add(1))
	s.Servers = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 0, 1}), 24)
	s.Dom0 = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 0, 9}), 24)
	s.dhcp.NextServer, s.dhcp.Router = s.Servers.Addr(), s.Servers.Addr()
	s.dhcp.Fixed = map[string]netip.Addr{lab.SampleMAC: netip.AddrFrom4([4]byte{10, n, 0, 99})}
}

// leak plugs the DHCP server of another network of dom0's into this one.
func (s *site) leak() {
	s.Helper()
	other := &site{T: s.T, dhcp: lab.SampleDHCP()}
	other.elsewhere()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = s.Bridge + "b"
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	labtest.Check(s, netlink.LinkAdd(bridge))
	s.Cleanup(func() { netlink.LinkDel(bridge) })
	labtest.Check(s, netlink.AddrAdd(bridge, &netlink.Addr{IPNet: &net.IPNet{IP: other.Dom0.Addr().AsSlice(), Mask: net.CIDRMask(24, 32)}}))
	s.dhcp = other.dhcp
	s.dnsmasqOn(s.host("other network", other.Servers.String()), "")
}

// twin is the guest, running.
func (s *site) twin() {
	s.Helper()
	h, err := s.lab().AddHost(s.Context(), lab.HostConfig{Name: "twin", MAC: s.request.MAC, Address: netip.PrefixFrom(s.dhcp.Fixed[lab.SampleMAC], 24)})
	labtest.Check(s, err)
	var conn net.Conn
	labtest.Check(s, h.Do(func() (err error) {
		conn, err = net.Dial("udp4", net.JoinHostPort(s.lab().Servers.Address.Addr().String(), "9"))
		return err
	}))
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn.Write([]byte("here I am"))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	time.Sleep(20 * time.Millisecond) // that the bridge has seen it
	s.Cleanup(func() { close(stop); <-ended; conn.Close() })
}

// spanningTree is switched on, and the servers' port begins to listen.
func (s *site) spanningTree(delay time.Duration) {
	s.Helper()
	labtest.SpanningTree(s, s.lab(), delay)
	bridge, err := netlink.LinkByName(s.lab().Bridge())
	labtest.Check(s, err)
	for _, port := range labtest.Ports(s, s.lab()) {
		labtest.Check(s, netlink.LinkSetNoMaster(port))
		labtest.Check(s, netlink.LinkSetMaster(port, bridge))
	}
}

// dump is all that was seen, for a person who has to find out why the verdict
// is another one.
func dump(facts check.Facts, report check.Report) string {
	var b strings.Builder
	for _, step := range report.Steps {
		fmt.Fprintf(&b, "  %-6s %-4s %s (%.0f ms)\n", step.Name, step.Status, step.Detail, step.Millis)
	}
	for _, v := range facts.Variants {
		fmt.Fprintf(&b, "  asked %+v\n", v)
	}
	for _, o := range facts.Offers {
		fmt.Fprintf(&b, "  offer %s proxy %v %s %v\n", o.Server, o.Proxy, o.Address, o.Values)
	}
	fmt.Fprintf(&b, "  bridge %+v\n  next-server %+v others %+v\n  request %+v\n", facts.Bridge, facts.NextServer, facts.Others, facts.Request)
	for _, t := range facts.Search {
		fmt.Fprintf(&b, "  tried %+v\n", t)
	}
	fmt.Fprintf(&b, "  config %+v\n  boot %+v\n  args %+v space %+v storm %+v\n", facts.Config, facts.Boot, facts.Args, facts.Space, facts.Storm)
	for _, f := range facts.Files {
		fmt.Fprintf(&b, "  file %+v kernel %+v\n", f, f.Kernel)
	}
	fmt.Fprintf(&b, "  errors %q", facts.Errors)
	return b.String()
}
