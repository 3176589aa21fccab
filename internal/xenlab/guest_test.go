package xenlab

import (
	"bytes"
	"debug/elf"
	"testing"

	xenkernel "github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// TestAssemble looks at the guest's kernel as Xen's domain builder does.
func TestAssemble(t *testing.T) {
	for _, program := range []string{"as", "ld"} {
		labtest.Program(t, program)
	}
	kernel, err := assemble(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(kernel))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || f.Machine != elf.EM_X86_64 {
		t.Errorf("%v for %v, want an x86-64 program", f.Type, f.Machine)
	}
	info, err := xenkernel.Inspect(bytes.NewReader(kernel), int64(len(kernel)))
	if err != nil || !info.Xen.PV() || !info.Xen.PVH() {
		t.Errorf("to Xen it is no guest of both types: %+v, %v", info.Xen, err)
	}
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_LOAD && segment.Vaddr != segment.Paddr {
			t.Errorf("a segment at %#x is loaded at %#x", segment.Vaddr, segment.Paddr)
		}
	}
}
