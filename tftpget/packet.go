package tftpget

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// The packets of RFC 1350 and RFC 2347 that a reader sends or gets.
const (
	opRRQ   = 1
	opDATA  = 3
	opACK   = 4
	opERROR = 5
	opOACK  = 6
)

const headLen = 4 // opcode and block number

// Limits of the options: RFC 2348 and, for windows, what tftp-hpa's server
// refuses to go beyond and where RFC 7440's own figures level out.
const (
	minBlockSize  = 8
	maxBlockSize  = 65464
	maxWindowSize = 64
)

// terms are what the two sides agree on.
type terms struct {
	blockSize int
	window    int   // blocks
	size      int64 // of the file in bytes, -1 when not said

	// resend is how long a server waits for an ACK; 0 is its own choice. It is
	// an option of tftp-hpa's alone: that server waits a second otherwise, then
	// two and so on, and does nothing about a repeated ACK.
	resend time.Duration
}

// plainTerms hold where no option is agreed on (RFC 1350).
var plainTerms = terms{blockSize: 512, window: 1, size: -1}

// firstResend is what a server is asked for before anything was measured.
// tftp-hpa's gives a client up after 63 times as long.
const firstResend = 100 * time.Millisecond

// windowTimeout is how long a server with windows should wait for an ACK
// (RFC 2349; the least that the option can say). atftpd waits 5 s otherwise,
// and after losses pauses between the blocks of a window for up to a thousandth
// of that a window: so 1 s costs a quarter of the time where packets get lost.
const windowTimeout = time.Second

// readRequest asks for a file and proposes the terms; options that say what
// holds anyway are left out.
func readRequest(name string, t terms) []byte {
	p := binary.BigEndian.AppendUint16(nil, opRRQ)
	p = append(p, name+"\x00octet\x00"...)
	if t == plainTerms {
		return p
	}
	p = append(p, "tsize\x000\x00blksize\x00"+strconv.Itoa(t.blockSize)+"\x00"...)
	if t.window > 1 {
		p = append(p, "windowsize\x00"+strconv.Itoa(t.window)+"\x00timeout\x00"+strconv.Itoa(int(windowTimeout.Seconds()))+"\x00"...)
	}
	if t.resend > 0 {
		p = append(p, "utimeout\x00"+strconv.FormatInt(t.resend.Microseconds(), 10)+"\x00"...)
	}
	return p
}

var errBadOptions = errors.New("the server agreed to options that can't be used")

// parseOACK reads the list of options that a server agrees to, without its
// opcode. Names may come in any case (RFC 2347). What was not asked for, and a
// list that ends in garbage, does no harm; PXELINUX overlooks it too.
func parseOACK(list []byte, asked terms) (terms, error) {
	t := plainTerms
	for {
		name, rest, _ := strings.Cut(string(list), "\x00")
		value, rest, ended := strings.Cut(rest, "\x00")
		if name == "" || value == "" && !ended {
			return t, nil
		}
		list = []byte(rest)
		n, err := strconv.ParseUint(value, 10, 63)
		if errors.Is(err, strconv.ErrRange) {
			n, err = math.MaxInt64, nil
		}
		switch strings.ToLower(name) {
		case "tsize":
			// 0 is what servers say that don't know.
			if t.size = int64(n); err != nil || n == 0 {
				t.size = -1
			}
		case "blksize":
			if err != nil || n < minBlockSize || n > maxBlockSize {
				return t, errBadOptions
			}
			t.blockSize = int(n)
		case "windowsize":
			if err != nil || n < 1 || int64(n) > int64(asked.window) {
				return t, errBadOptions
			}
			t.window = int(n)
		case "utimeout":
			t.resend = asked.resend
		}
	}
}

func ackPacket(block int64) []byte {
	return binary.BigEndian.AppendUint16([]byte{0, opACK}, uint16(block))
}

func errorPacket(code uint16, message string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0, opERROR}, code), message+"\x00"...)
}

// parseError reads an ERROR packet, without its opcode. Some servers leave the
// text out, or the NUL that ends it.
func parseError(p []byte) *serverError {
	if len(p) < 2 {
		return &serverError{}
	}
	return newServerError(binary.BigEndian.Uint16(p), string(p[2:]))
}
