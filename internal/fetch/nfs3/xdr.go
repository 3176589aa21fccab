package nfs3

import "encoding/binary"

// encoder makes XDR (RFC 4506).
type encoder []byte

func (e *encoder) uint32(v uint32) { *e = binary.BigEndian.AppendUint32(*e, v) }
func (e *encoder) uint64(v uint64) { *e = binary.BigEndian.AppendUint64(*e, v) }

func (e *encoder) opaque(b []byte) {
	e.uint32(uint32(len(b)))
	*e = append(*e, b...)
	*e = append(*e, make([]byte, padding(len(b)))...)
}

// padding fills opaque data up to four bytes.
func padding(n int) int { return -n & 3 }

// decoder reads XDR. Once something is missing, all that follows is zero and
// failed is set, so that it has to be looked at only at the end.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) bool() bool { return d.uint32() != 0 }

// opaque is data of a length of its own, which is part of what d reads from.
func (d *decoder) opaque(limit int) []byte {
	n := d.uint32()
	if n > uint32(limit) {
		d.failed = true
		return nil
	}
	data := d.take(int(n))
	d.take(padding(int(n)))
	return data
}
