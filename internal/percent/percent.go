// Package percent writes and reads %XX in URLs as PXELINUX does
// (url_escape_unsafe and url_unescape of core/fs/pxe/urlparse.c).
package percent

import (
	"fmt"
	"strconv"
	"strings"
)

// Escape writes bytes that are no printable ASCII, and those in reserved, as
// %XX.
func Escape(s, reserved string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(reserved, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape is the reverse. A % that begins no escape stands for itself.
func Unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
