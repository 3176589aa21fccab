package kernel

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// x86 undoes xz's filter for x86 code. The filter makes the targets of CALL
// and JMP (E8, E9) absolute, which packs better, where the operand looks like
// a near one: its highest byte is 00 or FF.
type x86 struct {
	r   io.Reader
	err error
	buf []byte
	// Of buf, what is decoded and not yet read, and what is not yet decoded.
	begin, decoded int
	// at is the address of the first byte that is not decoded.
	at uint32
	// before has a bit for each of the last three bytes, the lowest for the
	// last one: it looked like an opcode and was left alone. It may be part
	// of an operand then, and so may what follows it.
	before uint8
}

func (x *x86) Read(p []byte) (int, error) {
	for x.begin == x.decoded {
		if x.err != nil {
			return 0, x.err
		}
		x.fill()
	}
	n := copy(p, x.buf[x.begin:x.decoded])
	x.begin += n
	return n, nil
}

// fill reads on, and decodes all that has four bytes behind it.
func (x *x86) fill() {
	rest := copy(x.buf[:cap(x.buf)], x.buf[x.decoded:])
	var n int
	n, x.err = x.r.Read(x.buf[rest:cap(x.buf)])
	x.buf = x.buf[:rest+n]
	x.begin, x.decoded = 0, 0
	for x.decoded+5 <= len(x.buf) {
		code := x.buf[x.decoded : x.decoded+5]
		step := 1
		switch {
		case code[0]&0xfe != 0xe8:
			x.before = x.before << 1 & 7
		case x.relative(code):
			x.before = 0
			step = 5
		default:
			x.before = (x.before<<1 | 1) & 7
		}
		x.decoded += step
		x.at += uint32(step)
	}
	if x.err != nil {
		x.decoded = len(x.buf) // too short for an instruction
	}
}

// relative makes an instruction's target relative again, if the filter has
// changed it.
func (x *x86) relative(code []byte) bool {
	near := func(b byte) bool { return b == 0 || b == 0xff }
	operand := code[1:5]
	// overlap is how many bytes of the operand could belong to an opcode
	// before this one, had it been changed.
	overlap := bits.Len8(x.before)
	if !near(operand[3]) || overlap > 0 && (bits.OnesCount8(x.before) > 1 || near(operand[3-overlap])) {
		return false
	}
	value := binary.LittleEndian.Uint32(operand)
	for {
		value -= x.at + 5
		if overlap == 0 || !near(byte(value>>(24-8*overlap))) {
			break
		}
		// The filter takes another turn so that its result can be told from
		// what it leaves alone.
		value ^= 1<<(32-8*overlap) - 1
	}
	// The highest byte is the sign, 25 bits are the distance.
	binary.LittleEndian.PutUint32(operand, uint32(int32(value<<7)>>7))
	return true
}
