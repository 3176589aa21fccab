package labs

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"golang.org/x/sys/unix"
)

// told is a fault, and words that the verdict has to say of it: the code alone
// would not help.
type told struct {
	fault
	says string
}

// grubImage is as much of GRUB for UEFI as tells that its prefix is /boot/grub.
const grubImage = "MZmimg\x00\x00\x00\x00\x18\x00\x00\x00\x00\x00\x00\x00\x30\x00\x00\x00\x00\x00\x00\x00" +
	"\x03\x00\x00\x00\x18\x00\x00\x00/boot/grub\x00\x00\x00\x00\x00\x00"

// fieldFaults are what people ask about in forums and mailing lists.
var fieldFaults = []told{
	{fault{"Foreman's configuration", check.Fine, fine, func(s *site) {
		s.config("DEFAULT linux\nTIMEOUT 10\n\nLABEL linux\n    KERNEL boot/centos-vmlinuz\n    APPEND initrd=boot/centos-initrd.img inst.ks=http://foreman/unattended/provision network ksdevice=bootif\n    IPAPPEND 2\n")
		s.move(kernelFile, "boot/centos-vmlinuz")
		s.move(initrdFile, "boot/centos-initrd.img")
		s.dhcpd()
		s.tftpd()
	}}, ""},
	{fault{"configuration by UUID", check.Fine, fine, with(func(s *site) {
		s.move(configFile, "pxelinux.cfg/564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5")
	})}, ""},
	{fault{"boot file is a URL", check.Fine, fine, func(s *site) {
		s.dhcp.BootFile = "http://192.168.1.166/pxelinux.0"
		s.dhcpd()
		s.nginx("")
	}}, ""},
	{fault{"DHCP and TFTP on two machines", check.Fine, fine, func(s *site) {
		h := s.host("tftp", "192.168.1.5/24")
		p, err := real.TFTPD(s.Context(), h, s.tree)
		s.started(h, p, err)
		s.dhcp.NextServer = h.Address.Addr()
		s.dhcpd()
	}}, ""},
	{fault{"two dhcpds with the same answers", check.Fine, fine, func(s *site) {
		s.dhcpd()
		s.tftpd()
		h := s.host("second", "192.168.1.5/24")
		p, err := real.DHCPD(s.Context(), h, s.dhcp)
		s.started(h, p, err)
	}}, ""},
	{fault{"the server's disk has to spin up", check.Fine, fine, func(s *site) {
		var once sync.Once
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if isUDP(frame) && toServer && port(frame, 36) == 69 {
				once.Do(func() { time.Sleep(4 * time.Second) })
			}
			return [][]byte{frame}
		})
		s.dhcpd()
		s.tftpd()
	}}, ""},
	{fault{"DHCP and TFTP behind a relay", check.Fine, fine, func(s *site) {
		relay, far := s.lab().Servers, labtest.FarHost(s, s.lab())
		labtest.Dnsmasq(s, far, "--enable-tftp", "--tftp-root="+s.tree,
			"--dhcp-range=192.168.1.0,static,255.255.255.0,1h", "--dhcp-host="+lab.SampleMAC+",192.168.1.199", "--dhcp-boot=pxelinux.0", "--dhcp-option=option:router,192.168.1.166")
		labtest.Until(s, relay, "Sending on   Socket/fallback", "dhcrelay", "-4", "-d", "--no-pid", "-id", "eth0", "-iu", "eth1", "10.9.0.2")
	}}, ""},
	{fault{"a cable that loses one frame of thirty", check.PacketLoss, either, func(s *site) {
		var n atomic.Int32
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if isUDP(frame) && !toServer && len(frame) > 600 && n.Add(1)%30 == 0 {
				return nil
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}}, "error counters"},
	{fault{"output directory is read-only", check.NoSpace, isBroken, func(s *site) {
		labtest.Check(s, unix.Mount("tmpfs", s.request.OutputDirectory, "tmpfs", unix.MS_RDONLY, ""))
		s.Cleanup(func() { unix.Unmount(s.request.OutputDirectory, unix.MNT_DETACH) })
		s.dnsmasq()
	}}, "read-only"},
	{fault{"dnsmasq ignores strangers", check.NoServer, isBroken, func(s *site) {
		s.dhcp.Fixed = map[string]netip.Addr{"00:16:3e:00:00:01": lab.SampleAddress}
		s.dhcp.First, s.dhcp.Last = netip.MustParseAddr("192.168.1.50"), netip.MustParseAddr("192.168.1.60")
		s.dnsmasq("--dhcp-ignore=tag:!known")
	}}, "dhcp-ignore=tag:!known"},
	{fault{"boot file for iPXE only", check.NoFilename, isBroken, func(s *site) {
		s.dhcp.BootFile, s.dhcp.NextServer = "", netip.Addr{}
		s.dnsmasq("--dhcp-match=set:ipxe,175", "--dhcp-boot=tag:ipxe,boot.ipxe")
	}}, "dhcp-boot=pxelinux.0,,192.168.1.166"},
	{fault{"boot file with 0xff behind it", check.FilenameGarbage, warning, func(s *site) {
		s.dhcp.BootFile = ""
		s.dhcpd(`option bootfile-name "pxelinux.0\377";`)
		s.tftpd()
	}}, `"pxelinux.0\xff"`},
	{fault{"boot file is GRUB for UEFI", check.NoConfig, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcp.BootFile = "efi/grubx64.efi"
		s.file("efi/grubx64.efi", "MZ")
		s.dnsmasq()
	}}, "is GRUB, which reads a grub.cfg"},
	{fault{"GRUB and its grub.cfg", check.Fine, fine, func(s *site) {
		s.remove(configFile)
		s.dhcp.BootFile = "grubx64.efi"
		s.file("grubx64.efi", grubImage)
		s.file("boot/grub/grub.cfg", "set timeout=5\nmenuentry 'Linux' {\n\tlinux /vmlinuz quiet\n\tinitrd /initrd.img\n}\n")
		s.dnsmasq()
	}}, ""},
	{fault{"an entry of GRUB that loads nothing", check.NotBootable, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcp.BootFile = "grubx64.efi"
		s.file("grubx64.efi", grubImage)
		s.file("boot/grub/grub.cfg", "set timeout=5\nmenuentry 'Linux' {\n\tlinxu /vmlinuz quiet\n}\n")
		s.dnsmasq()
	}}, "grub.cfg:"},
	{fault{"boot file is a script for iPXE", check.NotBootable, isBroken, func(s *site) {
		s.remove(configFile)
		s.dhcp.BootFile = "http://192.168.1.166/boot.ipxe"
		s.file("boot.ipxe", "#!ipxe\n")
		s.dhcpd()
		s.nginx("")
	}}, "boot.ipxe:1: end of the script: nothing was booted"},
	{fault{"boot file with backslashes", check.NoConfig, isBroken, func(s *site) {
		s.dhcp.BootFile = ""
		s.dhcpd(`option bootfile-name "boot\\x64\\pxelinux.0";`)
		s.tftpd()
	}}, `filename "pxelinux.0"`},
	{fault{"boot file in a directory, its configuration in the root", check.NoConfig, isBroken, func(s *site) {
		s.dhcp.BootFile = "xen/pxelinux.0"
		s.move("pxelinux.0", "xen/pxelinux.0")
		s.dhcpd()
		s.tftpd()
	}}, "move the configuration there"},
	{fault{"directory with a capital", check.ConfigMisnamed, isBroken, with(func(s *site) {
		s.remove(configFile)
		s.file("Pxelinux.cfg/default", goodConfig)
	})}, "Pxelinux.cfg/default"},
	{fault{"pxelinux.cfg is a file, by tftpd-hpa", check.ConfigMisnamed, isBroken, func(s *site) {
		s.fileForDirectory()
		s.dhcpd()
		s.tftpd()
	}}, "a file where a directory should be"},
	{fault{"pxelinux.cfg is a file, by dnsmasq", check.ConfigMisnamed, isBroken, with((*site).fileForDirectory)}, "a file where a directory should be"},
	{fault{"configuration is a directory", check.TFTPRefused, isBroken, with(func(s *site) {
		s.remove(configFile)
		labtest.Check(s, os.Mkdir(filepath.Join(s.tree, configFile), 0o755))
	})}, "a directory has that name"},
	{fault{"configuration is a directory, by atftpd", check.ConfigUnreadable, isBroken, func(s *site) {
		s.remove(configFile)
		labtest.Check(s, os.Mkdir(filepath.Join(s.tree, configFile), 0o755))
		s.dhcpd()
		s.atftpd()
	}}, configFile},
	{fault{"tftpd-hpa without --secure", check.TFTPRefused, isBroken, func(s *site) {
		s.tftpdWith(s.lab().Servers)
		s.dhcpd()
	}}, "--secure"},
	{fault{"byte order mark before DEFAULT", check.NoDefault, isBroken, configured("\ufeff" + goodConfig)}, `\ufeffDEFAULT`},
	{fault{"the labels are in a file that is missing", check.LabelMissing, isBroken, configured("default linux\ninclude labels.cfg\n")}, "INCLUDE labels.cfg: not found"},
	{fault{"all is in a file that is missing", check.NoDefault, isBroken, configured("include labels.cfg\n")}, "INCLUDE labels.cfg: not found"},
	{fault{"one of two initrds is missing", check.InitrdMissing, isBroken, configured("default linux\nlabel linux\n kernel vmlinuz\n append initrd=initrd.img,extra.img\n")}, "extra.img"},
	{fault{"a menu with timeout 0", check.Fine, fine, configured("ui menu.c32\ntimeout 0\nlabel linux\n kernel vmlinuz\n")}, ""},
	{fault{"kernel has 0 bytes", check.FileTruncated, isBroken, with(func(s *site) { s.file(kernelFile, "") })}, "0 bytes"},
	{fault{"kernel's server is a name, and there is no DNS", check.NoDNS, isBroken, configured("default linux\nlabel linux\n kernel http://mirror.example/vmlinuz\n")}, "option 6"},
	{fault{"netmask of one address", check.NextServerUnreachable, isBroken, func(s *site) {
		s.dhcp.Router = netip.Addr{}
		s.dnsmasq("--dhcp-option=option:netmask,255.255.255.255", "--dhcp-option=option:router")
	}}, "correct the netmask"},
	{fault{"TFTP answers from another address", check.TFTPOtherAddress, isBroken, func(s *site) {
		s.dhcpd()
		s.answersFrom("192.168.1.168")
	}}, "next-server 192.168.1.168"},
	{fault{"router forwards nothing", check.TFTPSilent, isBroken, func(s *site) {
		s.dhcp.NextServer, s.dhcp.Router = netip.MustParseAddr("10.99.0.1"), s.host("router", "192.168.1.1/24").Address.Addr()
		s.dhcpd()
	}}, "behind it"},
}

// fileForDirectory is the configuration in the place of its directory.
func (s *site) fileForDirectory() {
	s.Helper()
	s.remove(configFile)
	s.remove(filepath.Dir(configFile))
	s.file(filepath.Dir(configFile), goodConfig)
}

// answersFrom is a TFTP server that answers from another address of its.
func (s *site) answersFrom(address string) {
	s.Helper()
	h := s.lab().Servers
	var asked, other *net.UDPConn
	labtest.Check(s, h.Do(func() (err error) {
		if asked, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 69}); err != nil {
			return err
		}
		if err := labtest.AddAddress("eth0", address+"/24"); err != nil {
			return err
		}
		other, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address)})
		return err
	}))
	s.Cleanup(func() { asked.Close(); other.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			_, from, err := asked.ReadFrom(packet)
			if err != nil {
				return
			}
			other.WriteTo([]byte("\x00\x05\x00\x01File not found\x00"), from)
		}
	}()
}

func faultsOf(list []told) (faults []fault) {
	for _, t := range list {
		faults = append(faults, t.fault)
	}
	return faults
}

// says is what the verdict on that lab has to say; "" when the code says all.
func says(name string) string {
	for _, t := range slices.Concat(fieldFaults, ipxeFaults) {
		if t.name == name {
			return t.says
		}
	}
	return ""
}
