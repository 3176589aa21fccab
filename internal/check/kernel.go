package check

import (
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/kernel"
)

// NewKernel are the facts of a kernel's file that was looked into.
func NewKernel(info kernel.Info) *Kernel {
	k := &Kernel{
		Format: string(info.Format), Arch: string(info.Arch), Version: info.Version, Wants: info.Length,
		Linux:   info.Format == kernel.BzImage || info.Format == kernel.ELF || info.Format == kernel.ARM64Image,
		Packing: string(info.Compression), NeedsXen: info.NeedsXen(),
	}
	if info.Line != "" {
		k.Format += fmt.Sprintf(" %q", info.Line)
	}
	if info.Format == kernel.Unknown {
		k.Format = "no kernel that is known"
	}
	if info.Xen != nil {
		k.Looked, k.PV, k.PVH = true, info.Xen.PV(), info.Xen.PVH()
	}
	return k
}

// NewKind is what an initrd is by its first bytes.
func NewKind(info kernel.Info) string {
	switch {
	case info.Compression != kernel.None:
		return string(info.Compression)
	case info.Format == kernel.Initrd:
		return "cpio"
	case info.Format == kernel.Text:
		return "text"
	}
	return ""
}
