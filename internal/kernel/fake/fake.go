// Package fake makes files that look like kernels from outside and from
// inside, for tests and for the lab's sample tree. No machine can run them.
package fake

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// Note is an ELF note of Xen's.
func Note(kind uint32, content []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(content)))
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = append(append(b, "Xen\x00"...), content...)
	return append(b, make([]byte, -len(b)&3)...)
}

// Entry points of Notes, as XEN_ELFNOTE_ENTRY and XEN_ELFNOTE_PHYS32_ENTRY.
const (
	Entry   = 0xffffffff82c07190
	Entry32 = 0x1000850
)

// Notes are those of a Linux kernel for Xen, with the entry points wanted.
func Notes(pv, pvh bool) []byte {
	notes := [][]byte{Note(6, []byte("linux\x00")), Note(5, []byte("xen-3.0\x00"))}
	if pv {
		notes = append(notes, Note(1, binary.LittleEndian.AppendUint64(nil, Entry)))
	}
	notes = append(notes, Note(10, []byte("!writable_page_tables|pae_pgdir_above_4gb")), Note(9, []byte("yes\x00")), Note(8, []byte("generic\x00")))
	if pvh {
		notes = append(notes, Note(18, binary.LittleEndian.AppendUint32(nil, Entry32)))
	}
	return bytes.Join(notes, nil)
}

// Vmlinux is an ELF file for a machine that has this code and, behind it,
// these notes: in a segment, or in a section of that type only.
func Vmlinux(machine elf.Machine, code, notes []byte, section elf.SectionType) []byte {
	const codeAt = 64 + 2*56
	notesAt := uint64(codeAt + len(code))
	header := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Phoff: 64, Phentsize: 56, Phnum: 2, Ehsize: 64}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	segments := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Off: codeAt, Filesz: uint64(len(code))},
		{Type: uint32(elf.PT_NOTE), Off: notesAt, Filesz: uint64(len(notes))},
	}
	var sections []elf.Section64
	if section != elf.SHT_NULL {
		segments[1] = elf.Prog64{}
		header.Shoff, header.Shentsize, header.Shnum = notesAt+uint64(len(notes)), 64, 2
		sections = []elf.Section64{{}, {Type: uint32(section), Off: notesAt, Size: uint64(len(notes))}}
	}
	var b bytes.Buffer
	for _, part := range []any{header, segments, code, notes, sections} {
		// No error: all of it has a size, and a buffer takes it.
		_ = binary.Write(&b, binary.LittleEndian, part)
	}
	return b.Bytes()
}

// PayloadAt is where BzImage has its payload.
const PayloadAt = 1024 + 0x100

// BzImage is one of version 6.1.0-test with this payload, for 64 bit machines.
func BzImage(payload []byte) []byte {
	b := make([]byte, PayloadAt+len(payload))
	b = append(b, make([]byte, -len(b)&15)...)
	b[0x1f1] = 1 // sectors of setup code
	binary.LittleEndian.PutUint32(b[0x1f4:], uint32(len(b)-1024)/16)
	copy(b[0x1fe:], "\x55\xaa")
	copy(b[0x202:], "HdrS\x0f\x02")
	binary.LittleEndian.PutUint16(b[0x20e:], 0x100)
	b[0x236] = 1 // XLF_KERNEL_64
	binary.LittleEndian.PutUint32(b[0x248:], PayloadAt-1024)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(len(payload)))
	copy(b[0x300:], "6.1.0-test (somebody@example.org) #1 SMP")
	copy(b[PayloadAt:], payload)
	return b
}
