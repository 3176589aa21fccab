package ipxe

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// uri is a URI as iPXE splits one: its parts stay as they are written.
type uri struct {
	scheme, host, path, query, fragment string
}

// scheme begins a URI. A colon that comes later, as in a MAC, is none.
var scheme = regexp.MustCompile(`^([A-Za-z_-]+):(.*)$`)

// parseURI splits text (core/uri.c, parse_uri). Without a scheme it is relative.
func parseURI(text string) (u uri) {
	text, u.fragment, _ = strings.Cut(text, "#")
	if m := scheme.FindStringSubmatch(text); m != nil {
		u.scheme, text = strings.ToLower(m[1]), m[2]
	}
	text, query, ok := strings.Cut(text, "?")
	if ok {
		u.query = "?" + query
	}
	if rest, ok := strings.CutPrefix(text, "//"); ok {
		u.host, u.path, ok = strings.Cut(rest, "/")
		if ok {
			u.path = "/" + u.path
		}
	} else {
		u.path = text
	}
	return u
}

// resolve is a name that a script says, seen from base (resolve_uri).
func (base uri) resolve(text string) uri {
	u := parseURI(text)
	switch {
	case u.scheme != "":
		return u
	case u.host != "":
	case u.path == "" && u.query == "":
		u.host, u.path, u.query = base.host, base.path, base.query
	case u.path == "":
		u.host, u.path = base.host, base.path
	default:
		u.host, u.path = base.host, resolvePath(base.path, u.path)
	}
	u.scheme = base.scheme
	return u
}

// resolvePath looks at "./" and "../" at the front only (resolve_path).
func resolvePath(base, path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	base = dirname(base)
	for {
		if rest, ok := strings.CutPrefix(path, "./"); ok {
			path = rest
		} else if rest, ok := strings.CutPrefix(path, "../"); ok {
			base, path = dirname(base), rest
		} else if path == "." || path == ".." {
			if path == ".." {
				base = dirname(base)
			}
			path = ""
			break
		} else {
			break
		}
	}
	return strings.TrimSuffix(base, "/") + "/" + path
}

func dirname(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}

func (u uri) String() string {
	if u.scheme == "" {
		return ""
	}
	return u.scheme + "://" + u.host + u.path + u.query
}

// url is what the opener is given: TFTP's names are decoded and have no query,
// and what a URL can't hold is escaped.
func (u uri) url() string {
	if u.scheme == "tftp" {
		return (&url.URL{Scheme: u.scheme, Host: u.host, Path: percent.Unescape(u.path)}).String()
	}
	return strings.NewReplacer(" ", "%20", "\t", "%09", "\r", "%0D", "\n", "%0A").Replace(u.String())
}

// name is what an image is called: the last part of the path.
func (u uri) name() string { return u.path[strings.LastIndexByte(u.path, '/')+1:] }

// FileURL is the URL of a boot file (pxe_uri): a hierarchical URI, or else a file
// of the TFTP server's, by its name as it is.
func FileURL(server netip.Addr, file string) string {
	if u := parseURI(file); u.scheme != "" && (u.host != "" || strings.HasPrefix(u.path, "/")) {
		return u.String()
	}
	if !server.IsValid() {
		server = netip.IPv4Unspecified()
	}
	return (&url.URL{Scheme: "tftp", Host: server.String(), Path: "/" + file}).String()
}
