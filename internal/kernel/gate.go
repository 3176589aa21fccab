package kernel

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// A Guest is who is to boot an image, as far as that is known.
type Guest struct {
	Type xenout.GuestType // "" when it is not known
	Host Arch             // dom0's processor; "" when it does not matter
	Xen  string           // release of dom0's Xen, as 4.17; "" when it is not known
	// Direct is for a guest of no known type that may be an HVM guest with
	// direct kernel boot. That boots much that no domain builder knows.
	Direct bool
}

// ThisHost is the processor that this program is built for, as package kernel
// names it; "" for one that Xen does not run on.
func ThisHost() Arch {
	return map[string]Arch{"amd64": X86_64, "386": I386, "arm64": ARM64, "arm": ARM}[runtime.GOARCH]
}

// A Misfit is a file that a guest can't boot, which is known for sure.
type Misfit struct {
	Text, Try string
	// Download is true where the file is no other one, but a server's answer
	// in its place, or not whole.
	Download bool
}

func (m *Misfit) Error() string { return m.Text }

// Refuses looks at an image's first bytes, of which r needs to have no more than
// 32 KiB, and says why the guest can't boot it; nil where they don't tell. The
// size is that of the whole file, -1 when it is not known. It costs no time.
func (g Guest) Refuses(r io.ReaderAt, size int64) *Misfit {
	info, err := look(r, size, false)
	if err != nil {
		err = errLimit // there may be more than r has
	}
	return g.Judge(info, size, err)
}

// Looks is Refuses, and looks into what is packed in the image up to its entry
// points, which takes a second or two for xz. Warnings are what may keep the
// guest from booting it.
func (g Guest) Looks(r io.ReaderAt, size int64) (misfit *Misfit, warnings []string) {
	info, err := look(r, size, true)
	if misfit := g.Judge(info, size, err); misfit != nil {
		return misfit, nil
	}
	if entry := info.entry(g.Type); entry != nil {
		warnings = append(warnings, entry.Error())
	}
	if needs := info.NeedsXen(); needs != "" && (g.Xen == "" || Older(g.Xen, needs)) {
		warnings = append(warnings, fmt.Sprintf("it is packed with %s in a way that Xen knows since %s", info.Compression, needs))
	}
	return nil, warnings
}

// kinds are what is no kernel, in words.
var kinds = map[Format]struct{ is, try string }{
	Empty:      {"an empty file", "see what the server has there"},
	HTML:       {"a page of HTML", "see what the server has there; a web server may answer with a page where the file is missing"},
	Text:       {"text", "see what the server has there"},
	PXELINUX:   {"PXELINUX itself", "name the guest's kernel there"},
	IPXE:       {"iPXE itself", "have DHCP name its script as the boot file"},
	COM32:      {"a COM32 module of SYSLINUX", "name the kernel that the module would load"},
	Memdisk:    {"memdisk", "memdisk boots disk images with a BIOS: make the guest HVM"},
	EFI:        {"an EFI program", "serve the kernel itself, which is often named vmlinuz"},
	Initrd:     {"an initrd (a cpio archive)", "see whether the kernel's and the initrd's name are exchanged"},
	BootSector: {"a boot sector or a disk image", "serve the kernel that is on it"},
	Unknown:    {"nothing that is known", "see what the server has there"},
}

// What is what an image is, in words.
func (info Info) What() string {
	kind, ok := kinds[info.Format]
	switch {
	case !ok:
		return string(info.Format)
	case isPointer(info.Line):
		return "a pointer of Git LFS"
	case info.Line != "":
		return fmt.Sprintf("%s, %q", kind.is, info.Line)
	}
	return kind.is
}

// isPointer is true for the first line of what Git LFS has in a file's place
// until the file is fetched.
func isPointer(line string) bool {
	return strings.HasPrefix(line, "version https://git-lfs.github.com/spec/")
}

// misfit is a file that is not what it should be.
func (info Info) misfit(should string) *Misfit {
	m := &Misfit{info.What() + ", and no " + should, kinds[info.Format].try, info.Format == HTML || info.Format == Empty}
	if isPointer(info.Line) {
		m.Try, m.Download = "run git lfs pull where the server has its files", true
	}
	return m
}

// Judge says what is wrong for sure with an image, of which Inspect's error may
// say why it could not be read; an image that was cut by who asked is for Refuses.
func (g Guest) Judge(info Info, size int64, err error) *Misfit {
	const again = "copy the file to the server again, whole"
	free := g.Direct && g.Type == "" || g.Type == xenout.HVM // to boot what no domain builder knows
	broken := err != nil && !errors.Is(err, errLimit)
	switch {
	case info.Format == HTML, info.Format == Text, info.Format == Empty && err == nil:
		return info.misfit("kernel")
	case size >= 0 && info.Length > size:
		return &Misfit{fmt.Sprintf("it is cut short: it has %d bytes, and by its own header %d", size, info.Length), again, true}
	case !info.Arch.runsOn(g.Host):
		return &Misfit{fmt.Sprintf("it is for %s, and this host's guests are %s", info.Arch, g.Host), fmt.Sprintf("serve a kernel for %s", g.Host), false}
	case broken && errors.Is(err, ErrTruncated) && (!free || info.Format == ELF):
		return &Misfit{"it is cut short: " + err.Error(), again, true}
	case free:
		return nil
	case broken:
		return &Misfit{"Xen can't read it: " + err.Error(), again, false}
	case err != nil, info.Format == Multiboot: // for which Xen has other ways
		return nil
	}
	if _, ok := kinds[info.Format]; ok {
		return info.misfit("kernel")
	}
	if entry := info.entry(g.Type); entry != nil && g.Type != "" {
		return &Misfit{entry.Error(), entry.Try(), false}
	}
	return nil
}

// entry is what the image's entry points say; nil as well where they are not
// known.
func (info Info) entry(t xenout.GuestType) *EntryError {
	if info.Xen == nil || info.Format == Multiboot {
		return nil
	}
	return CheckEntry(t, info.Xen.PV(), info.Xen.PVH())
}

// runsOn says whether guests of a host can have this processor. A host of Xen's
// runs 32-bit guests, too, and one with a 32-bit dom0 64-bit guests.
func (a Arch) runsOn(host Arch) bool {
	families := map[Arch]string{X86_64: "x86", I386: "x86", I386PAE: "x86", ARM: "arm", ARM64: "arm"}
	return a == "" || host == "" || families[a] == families[host]
}

// Older compares releases of Xen, as 4.9 and 4.17; false for what is none.
func Older(a, b string) bool {
	var major, minor, major2, minor2 int
	if n, _ := fmt.Sscanf(a+" "+b, "%d.%d %d.%d", &major, &minor, &major2, &minor2); n < 4 {
		return false
	}
	return major < major2 || major == major2 && minor < minor2
}

// InitrdHead is how many of an initrd's first bytes are looked at.
const InitrdHead = 16 << 10

// InspectInitrd says what an initrd's first bytes are, of which a few KiB are
// enough: a cpio archive by itself or packed, in most cases. An initrd can be
// anything, so that only what is something else for sure is a Misfit: a page, a
// pointer of Git LFS, a kernel, a program that boots.
func InspectInitrd(head []byte) (Info, *Misfit) {
	info := Info{Compression: compressionOf(head)}
	if info.Compression != None {
		return info, nil
	}
	if info.Format = formatOf(head); info.Format == HTML || info.Format == Text {
		info.Line = firstLine(head)
	}
	switch info.Format {
	case BzImage, ARM64Image:
		return info, &Misfit{info.What() + ", and no initrd", kinds[Initrd].try, false}
	case HTML, PXELINUX, IPXE, COM32, Memdisk, EFI:
		return info, info.misfit("initrd")
	}
	if isPointer(info.Line) {
		return info, info.misfit("initrd")
	}
	return info, nil
}
