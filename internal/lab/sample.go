package lab

import (
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
)

// The guest of the Xen PXE boot howto, which SampleTree and SampleDHCP are for.
const (
	SampleMAC    = "00:16:3e:72:79:e3"
	SampleKernel = "el5u4_x86_xen_install/vmlinuz"
	SampleInitrd = "el5u4_x86_xen_install/initrd.img"
)

// SampleAddress is the address that SampleDHCP gives to SampleMAC.
var SampleAddress = netip.MustParseAddr("192.168.1.199")

const sampleConfig = `default linux
prompt 1
timeout 120

label linux
	kernel ` + SampleKernel + `
	append initrd=` + SampleInitrd + `
`

// SampleDHCP is the howto's dhcpd.conf.
func SampleDHCP() DHCP {
	server := ServersAddress.Addr()
	return DHCP{
		Fixed:      map[string]netip.Addr{SampleMAC: SampleAddress},
		Router:     server,
		NextServer: server,
		BootFile:   "pxelinux.0",
	}
}

// SampleTree writes the howto's PXELINUX tree into dir. Kernel and initrd are
// a few megabytes that look like ones from outside, the same at each run; no
// machine can run them.
func SampleTree(dir string) error {
	kernel := fake.BzImage(fake.Vmlinux(elf.EM_X86_64, noise(3<<20+1234, 1), fake.Notes(true, true), elf.SHT_NULL))
	initrd := noise(5<<20+567, 2)
	copy(initrd, "\x1f\x8b\x08") // gzip
	files := map[string][]byte{
		"pxelinux.0":                        []byte("not needed: gopxeboot is the boot loader\n"),
		"pxelinux.cfg/01-00-16-3e-72-79-e3": []byte(sampleConfig),
		SampleKernel:                        kernel,
		SampleInitrd:                        initrd,
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write the sample tree: %w", err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("write the sample tree: %w", err)
		}
	}
	return nil
}

// noise is size bytes that do not compress, decided by seed.
func noise(size int, seed byte) []byte {
	content := make([]byte, size)
	// Never fails: ChaCha8 is a stream without an end.
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content)
	return content
}
