package kernel

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Bounds of an ELF file. A kernel has some ten segments, some fifty sections
// and half a kilobyte of notes.
const (
	maxHeaders = 512
	maxNotes   = 64 << 10
)

var errNoELF = errors.New("broken ELF header")

type span struct{ offset, length int64 }

// elfFile is an ELF header. Debug/elf would ask for all of a file at once, in
// an order in which a packed one can't be read.
type elfFile struct {
	io.ReaderAt
	order              binary.ByteOrder
	wide               bool
	machine            elf.Machine
	segments, sections span
	segment, section   int // size of one header
	names              int // which section has the names
}

// elf reads an ELF file's header and, when asked for, its notes for Xen: those
// in its segments, or else, when asked for, those in its sections, where the
// domain builder looks next.
func (info *Info) elf(r io.ReaderAt, sections, notes bool) error {
	f, err := newELF(r)
	if err != nil {
		return err
	}
	arch := f.arch()
	if arch == I386 && info.Arch == I386PAE {
		arch = I386PAE // by its version
	}
	info.Arch = arch
	if info.Format != BzImage {
		info.Length = max(f.sections.offset+f.sections.length, f.segments.offset+f.segments.length)
	}
	headers, err := f.headers(f.segments, f.segment)
	var places []span
	for _, h := range headers {
		at := f.spanOf(h, 4, 16, 8, 32)
		if info.Format != BzImage {
			info.Length = max(info.Length, at.offset+at.length)
		}
		if f.order.Uint32(h) == uint32(elf.PT_NOTE) {
			places = append(places, at)
		}
	}
	if err != nil || !notes {
		return err
	}
	var xen Xen
	found, err := f.notes(&xen, places)
	if err != nil {
		return err
	}
	if sections && !found {
		if err := f.sectionNotes(&xen); err != nil {
			return err
		}
	}
	info.Xen = &xen
	if info.Arch == I386 && (strings.HasPrefix(xen.PAE, "yes") || strings.HasPrefix(xen.PAE, "bimodal")) {
		info.Arch = I386PAE
	}
	return nil
}

func newELF(r io.ReaderAt) (*elfFile, error) {
	h := make([]byte, 64)
	if n, err := r.ReadAt(h, 0); err != nil && !(n >= 52 && errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("read the ELF header: %w", err)
	}
	if string(h[:4]) != elfMagic {
		return nil, fmt.Errorf("no ELF file is inside, it begins with % x", h[:6])
	}
	f := &elfFile{ReaderAt: r, order: binary.LittleEndian, wide: h[4] == byte(elf.ELFCLASS64)}
	if h[5] == byte(elf.ELFDATA2MSB) {
		f.order = binary.BigEndian
	}
	f.machine = elf.Machine(f.order.Uint16(h[18:]))
	counts := h[42:52] // e_phentsize and what follows
	f.segments.offset, f.sections.offset = int64(f.order.Uint32(h[28:])), int64(f.order.Uint32(h[32:]))
	if f.wide {
		counts = h[54:64]
		f.segments.offset, f.sections.offset = int64(f.order.Uint64(h[32:])), int64(f.order.Uint64(h[40:]))
	}
	count := func(i int) int { return int(f.order.Uint16(counts[2*i:])) }
	f.segment, f.section, f.names = count(0), count(2), count(4)
	f.segments.length, f.sections.length = int64(f.segment*count(1)), int64(f.section*count(3))
	segment, section := 32, 40
	if f.wide {
		segment, section = 56, 64
	}
	switch {
	case f.segments.offset < 0, f.sections.offset < 0,
		f.segments.offset > math.MaxInt64/2, f.sections.offset > math.MaxInt64/2,
		count(1) > maxHeaders, count(1) > 0 && f.segment < segment,
		count(3) > maxHeaders, count(3) > 0 && f.section < section:
		return nil, errNoELF
	}
	return f, nil
}

func (f *elfFile) arch() Arch {
	known := map[elf.Machine]Arch{elf.EM_386: I386, elf.EM_X86_64: X86_64, elf.EM_ARM: ARM, elf.EM_AARCH64: ARM64}
	return cmp.Or(known[f.machine], Arch(f.machine.String()))
}

func (f *elfFile) read(s span) ([]byte, error) {
	data := make([]byte, s.length)
	if n, err := f.ReadAt(data, s.offset); n < len(data) {
		return nil, fmt.Errorf("read ELF at %d: %w", s.offset, err)
	}
	return data, nil
}

// headers are a table's entries of this size.
func (f *elfFile) headers(table span, size int) ([][]byte, error) {
	if table.length == 0 {
		return nil, nil
	}
	data, err := f.read(table)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(data, size)), nil
}

// spanOf is what a header says of offset and length, whose fields are at
// these places of a 32 and of a 64 bit one. What can't be is nothing.
func (f *elfFile) spanOf(header []byte, offset32, length32, offset64, length64 int) span {
	s := span{int64(f.order.Uint32(header[offset32:])), int64(f.order.Uint32(header[length32:]))}
	if f.wide {
		s = span{int64(f.order.Uint64(header[offset64:])), int64(f.order.Uint64(header[length64:]))}
	}
	if s.offset < 0 || s.length < 0 || s.offset > math.MaxInt64/2 || s.length > math.MaxInt64/2 {
		return span{}
	}
	return s
}

// notes reads what stands in these parts of the file, the first one first so
// that a packed file is unpacked once only, and says whether any of it is
// Xen's.
func (f *elfFile) notes(xen *Xen, parts []span) (found bool, err error) {
	slices.SortFunc(parts, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	budget := int64(maxNotes)
	for _, s := range parts {
		if budget -= s.length; budget < 0 {
			return found, fmt.Errorf("%w: too many ELF notes", errLimit)
		}
		data, err := f.read(s)
		if err != nil {
			return found, err
		}
		found = xen.notes(data, f.order) || found
	}
	return found, nil
}

// sectionNotes reads the sections of notes, and the one that was there before
// notes: __xen_guest.
func (f *elfFile) sectionNotes(xen *Xen) error {
	headers, err := f.headers(f.sections, f.section)
	if err != nil || f.names >= len(headers) {
		return err
	}
	var notes, old []span
	for _, h := range headers {
		at := f.spanOf(h, 16, 20, 24, 32)
		switch elf.SectionType(f.order.Uint32(h[4:])) {
		case elf.SHT_NOTE:
			notes = append(notes, at)
		case elf.SHT_PROGBITS:
			if at.length > 0 && at.length <= 1024 { // __xen_guest is some 200 bytes
				old = append(old, at)
			}
		}
	}
	if found, err := f.notes(xen, notes); err != nil || found {
		return err
	}
	slices.SortFunc(old, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	for _, s := range old {
		data, err := f.read(s)
		if err != nil {
			return err
		}
		// Known by its content: the names of sections stand behind it, and a
		// packed file would have to be unpacked again.
		if text, _, _ := strings.Cut(string(data), "\x00"); strings.Contains(text, "XEN_VER=") {
			xen.guestSection(text)
			return nil
		}
	}
	return nil
}
