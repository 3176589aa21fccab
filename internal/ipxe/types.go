package ipxe

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// kind is the type of a setting: how its bytes are written and read
// (core/settings.c). "" is not known, which iPXE takes for a string.
type kind string

const (
	kindString kind = "string"
	kindHex    kind = "hex"
	kindIPv4   kind = "ipv4"
	kindUUID   kind = "uuid"
	kindInt8   kind = "int8"
	kindInt32  kind = "int32"
	kindUint8  kind = "uint8"
	kindUint16 kind = "uint16"
	kindUint32 kind = "uint32"
)

// width is the size of an integer in bytes; 0 for what is none.
func (k kind) width() int {
	switch k {
	case kindInt8, kindUint8:
		return 1
	case "int16", kindUint16:
		return 2
	case kindInt32, kindUint32:
		return 4
	}
	return 0
}

func (k kind) signed() bool { return k == kindInt8 || k == "int16" || k == kindInt32 }

// separators are those between the bytes of hexadecimal types.
var separators = map[kind]string{kindHex: ":", "hexhyp": "-", "hexraw": ""}

// format is a value as text; false where its bytes are not of that type.
func (k kind) format(b []byte) (string, bool) {
	switch k {
	case kindString, "":
		s, _, _ := strings.Cut(string(b), "\x00")
		return s, true
	case "uristring":
		return percent.Escape(string(b), inURI), true
	case kindHex, "hexhyp", "hexraw":
		words := make([]string, len(b))
		for i := range b {
			words[i] = hex.EncodeToString(b[i : i+1])
		}
		return strings.Join(words, separators[k]), true
	case "base64":
		return base64.StdEncoding.EncodeToString(b), true
	case kindIPv4:
		if len(b) < 4 {
			return "", false
		}
		return netip.AddrFrom4([4]byte(b)).String(), true
	case "ipv6":
		if len(b) < 16 {
			return "", false
		}
		return netip.AddrFrom16([16]byte(b)).String(), true
	case kindUUID, "guid":
		if len(b) != 16 {
			return "", false
		}
		if k == "guid" {
			b = swapUUID(b)
		}
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), true
	case "busdevfn":
		n, ok := number(b, false)
		return fmt.Sprintf("%04x:%02x:%02x.%x", n>>16&0xffff, n>>8&0xff, n>>3&0x1f, n&7), ok
	case kindInt8, "int16", kindInt32:
		n, ok := number(b, true)
		return strconv.Itoa(int(n)), ok
	case kindUint8, kindUint16, kindUint32:
		n, ok := number(b, false)
		return fmt.Sprintf("%#x", uint(n)&math.MaxUint32), ok
	}
	return "", false
}

func (k kind) known() bool {
	_, ok := k.format(make([]byte, 16))
	return ok || k == "busdevfn" || k.width() > 0
}

// parse reads text; false where it is not of that type.
func (k kind) parse(s string) ([]byte, bool) {
	switch k {
	case kindString, "":
		return []byte(s), true
	case "uristring":
		return []byte(percent.Unescape(s)), true
	case kindIPv4: // inet_aton
		words := strings.Split(s, ".")
		var b []byte
		for _, w := range words {
			n, ok := integer(w)
			if !ok || w == "" || n < 0 || n > 255 {
				return nil, false
			}
			b = append(b, byte(n))
		}
		return b, len(b) == 4
	case "ipv6":
		a, err := netip.ParseAddr(s)
		return a.AsSlice(), err == nil && a.Is6()
	case "base64":
		b, err := base64.StdEncoding.DecodeString(s)
		return b, err == nil
	case kindHex, "hexhyp", "hexraw":
		var b []byte
		for i := 0; s != ""; i++ {
			rest, ok := strings.CutPrefix(s, separators[k])
			if i > 0 {
				s = rest
			}
			if i > 0 && !ok || len(s) < 2 {
				return nil, false
			}
			digits, err := hex.DecodeString(s[:2])
			if err != nil {
				return nil, false
			}
			b, s = append(b, digits...), s[2:]
		}
		return b, true
	}
	n, ok := integer(s)
	return k.denumerate(n), ok && k.width() > 0
}

// denumerate is a number in the type's bytes.
func (k kind) denumerate(n int32) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(n))[4-k.width():]
}

// number reads all bytes as one number of 32 bits (numeric_setting_value).
func number(b []byte, signed bool) (int64, bool) {
	var n int64
	if signed && len(b) > 0 && b[0] > 127 {
		n = -1
	}
	for _, c := range b {
		n = n<<8 | int64(c)
		if signed && (n > math.MaxInt32 || n < math.MinInt32) || !signed && n > math.MaxUint32 {
			return 0, false
		}
	}
	return n, true
}

// integer is strtoul with base 0 to the end of the text. Nothing is 0.
func integer(s string) (int32, bool) {
	s = strings.TrimLeftFunc(s, isSpace)
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	base := 10
	if rest, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok {
		digits, base = rest, 16
	} else if len(digits) > 1 && digits[0] == '0' {
		base = 8
	}
	if digits == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, false
	}
	if negative {
		n = -n
	}
	return int32(n), true // cut to 32 bits, as by a BIOS's iPXE
}

// inURI is what a value for a URL escapes (uri_encode).
const inURI = "%/#:@?=&+"

// swapUUID turns the first three fields round, as SMBIOS and option 97 have them.
func swapUUID(b []byte) []byte {
	return []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}
