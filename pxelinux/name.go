package pxelinux

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// A name in a configuration is PXELINUX's own notation, of which only the
// first colon decides: "scheme://" is a URL, "host::path" a TFTP path (the
// default server's when host is empty), and everything else is text that is
// put behind the current directory, itself a name of one of the first two
// kinds. There are no absolute paths and no path is normalised: with the
// prefix "/boot/" the name "/x" is "/boot//x" on the wire.
type nameKind int

const (
	suffix nameKind = iota
	oldTFTP
	fullURL
)

func kindOf(name string) nameKind {
	_, after, found := strings.Cut(name, ":")
	switch {
	case !found:
		return suffix
	case strings.HasPrefix(after, "//"):
		return fullURL
	case strings.HasPrefix(after, ":"):
		return oldTFTP
	}
	return suffix
}

// maxName is FILENAME_MAX-1: what is longer is cut.
const maxName = 255

// mangle is what PXELINUX does to every name before it opens it.
func mangle(name string) string {
	name = firstWord(name)
	return name[:min(len(name), maxName)]
}

// prefixOf is the current directory that PXELINUX starts in: option 210 as it
// is, or else the boot file up to the last character that is not a letter, a
// digit, a dot or a dash. An underscore ends a directory, too.
func prefixOf(h Host) string {
	prefix := h.PathPrefix
	if prefix == "" {
		prefix = h.BootFile
		i := len(prefix)
		for i > 0 && isPlain(prefix[i-1]) {
			i--
		}
		prefix = prefix[:i]
	}
	if kindOf(prefix) == suffix {
		prefix = "::" + prefix
	}
	return prefix
}

func isPlain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-'
}

// absolute is realpath: the name with the current directory before it, if it
// needs one.
func absolute(cwd, name string) string {
	if kindOf(name) == suffix {
		return cwd + name
	}
	return name
}

// resolve turns a name into the URL of the file that PXELINUX would ask for.
// An error says why PXELINUX would ask no server.
func resolve(server, cwd, name string) (string, error) {
	name = absolute(cwd, mangle(name))
	if kindOf(name) == oldTFTP {
		host, path, _ := strings.Cut(name, "::")
		host = cmp.Or(host, server)
		return "tftp://" + percent.Escape(host, inHost) + "/" + percent.Escape(path, inPath), nil
	}

	scheme, rest, _ := strings.Cut(name, "://")
	host, path, _ := strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "#")
	user, host, found := strings.Cut(host, "@")
	if !found {
		user, host = "", user
	}
	host, port, _ := strings.Cut(host, ":")
	if host == "" {
		// Its look-up fails, and then the boot server is asked.
		host = server
	}
	host = percent.Escape(host, inHost)
	if port = digits(port); port != "" && port != defaultPorts[scheme] {
		host += ":" + port
	}

	switch scheme {
	case "tftp":
		// ;mode=octet is allowed by RFC 3617 and means nothing here.
		path, _, _ = strings.Cut(path, ";")
		return "tftp://" + host + "/" + percent.Escape(percent.Unescape(path), inPath), nil
	case "ftp":
		path = percent.Escape(percent.Unescape(path), inPath)
	case "http", "https":
		// PXELINUX itself knows no https; sites that have it expect it to work.
		path = percent.Escape(path, inHTTP)
	default:
		return "", nameError(fmt.Sprintf("%s: PXELINUX knows tftp, http and ftp, not %s", name, scheme))
	}
	if user != "" {
		host = percent.Escape(user, inHost) + "@" + host
	}
	return scheme + "://" + host + "/" + path, nil
}

var defaultPorts = map[string]string{"tftp": "69", "ftp": "21", "http": "80", "https": "443"}

// nameError is a name for which PXELINUX asks no server, and which it takes for a
// file that is not there.
type nameError string

func (e nameError) Error() string { return string(e) }

func (e nameError) Is(target error) bool { return target == ErrNotFound }

// What is written as %XX beyond what is not printable ASCII.
const (
	inPath = "%#?;" // would end a path, or be taken for an escape
	inHost = inPath + "/"
	inHTTP = "" // PXELINUX trusts the writer of the configuration with % and ?
)

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func digits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}
