package fetch

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// maxURL bounds a URL, in bytes. PXELINUX's own names end at 255.
const maxURL = 4096

// location is a URL taken apart as PXELINUX does it (core/fs/pxe/urlparse.c).
// net/url would refuse or rewrite names that TFTP servers know.
type location struct {
	scheme         string
	user, password string // %-decoded
	host           string // name or address, without brackets
	port           uint16 // 0 when absent
	path           string // all that follows the authority's slash, as written, without a fragment
}

// parse takes a URL apart. tftp://host//x has the path "/x", tftp://host/x the
// path "x": the slash after the authority is no part of it.
func parse(url string) (location, error) {
	var l location
	if len(url) > maxURL {
		l.path = url[:40] + "..."
		return l, fmt.Errorf("a URL of %d bytes is longer than %d", len(url), maxURL)
	}
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || scheme == "" {
		l.path = url
		return l, errors.New("not a URL")
	}
	l.scheme = scheme
	authority, path, _ := strings.Cut(rest, "/")
	l.path, _, _ = strings.Cut(path, "#")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		l.user, l.password = percent.Unescape(user), percent.Unescape(password)
		authority = authority[i+1:]
	}
	var port string
	if inner, ok := strings.CutPrefix(authority, "["); ok {
		var bracket bool
		if l.host, port, bracket = strings.Cut(inner, "]"); !bracket {
			return l, errors.New("the host's [ has no ]")
		}
		if addr, err := netip.ParseAddr(l.host); err != nil || !addr.Is6() || addr.Zone() != "" {
			return l, errors.New("no IPv6 address between [ and ]")
		}
		if port != "" && port[0] != ':' {
			return l, errors.New("nothing but a port may follow the host's ]")
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		l.host, port, _ = strings.Cut(authority, ":")
		for _, b := range []byte(l.host) {
			if !isHostByte(b) {
				return l, fmt.Errorf("a host name can't hold %q", b)
			}
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return l, errors.New("the port is no number from 1 to 65535")
		}
		l.port = uint16(n)
	}
	return l, nil
}

func isHostByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.' || b == '-' || b == '_'
}

// String is the URL for people: printable, without a password.
func (l location) String() string {
	s := l.path
	if l.scheme != "" {
		authority := l.host
		if strings.Contains(l.host, ":") {
			authority = "[" + l.host + "]"
		}
		if l.user != "" {
			authority = percent.Escape(l.user, "") + "@" + authority
		}
		if l.port != 0 {
			authority += ":" + strconv.Itoa(int(l.port))
		}
		s = l.scheme + "://" + authority + "/" + l.path
	}
	return percent.Escape(s, "")
}

// name is the path with its escapes undone, for the schemes that send a file
// name. As PXELINUX does, a % that begins no escape stands for itself.
func (l location) name() string { return percent.Unescape(l.path) }

// inside is the other half of the URL of a file in an image: the first "!/" of
// the path as written ends the image's own URL, and the file's path in the
// image follows. Where the two characters are part of a name, %21 stands for
// the first.
func (l location) inside() (image location, name string, ok bool) {
	before, after, ok := strings.Cut(l.path, "!/")
	l.path = before
	return l, percent.Unescape(after), ok
}
