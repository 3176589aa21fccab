// Package install boots install repositories, which no configuration names: it
// decides which kernel and ramdisk one boots, by what xenpvnetboot, eliloader
// and virt-install know of where distributions keep them, and, in eliloader's
// place, what a VM of XAPI's installs.
//
// A location is text that becomes the URL of a directory; what is below it is
// asked for through a Site.
package install

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// Location is a directory of boot files: on a server, in dom0, or inside an
// image. The zero value is none, for files that are named by full URLs.
type Location struct {
	Base  string // its URL with a slash at the end; an image's inside begins with "!/"
	Local string // the directory, image or device of dom0's that it is in; "" for a server's
	Image bool   // it is the inside of an image, which a guest can't see as a location
	Paths bool   // it was written as a path, and names below it are no parts of a URL
}

// schemes are those of which a URL names a location as it stands.
var schemes = []string{"http://", "https://", "ftp://", "tftp://", "nfs://", "file://"}

func isForm(word string) bool {
	return strings.HasPrefix(word, "nfs:") || strings.HasPrefix(word, "nfs+iso:") || isURL(word)
}

// lowered is a word with its scheme in small letters (RFC 3986, section 3.1).
// What has none of our schemes may be the name of a file, and stays.
func lowered(word string) string {
	scheme, rest, ok := strings.Cut(word, ":")
	if low := strings.ToLower(scheme) + ":" + rest; ok && isForm(low) {
		return low
	}
	return word
}

func isURL(word string) bool {
	return slices.ContainsFunc(schemes, func(s string) bool { return strings.HasPrefix(word, s) })
}

// Parse reads a location in the forms of xenpvnetboot and of eliloader:
//
//	http://host/path  https://host/path  ftp://host/path  tftp://host/path
//	nfs:host:/path  nfs://host/path  nfs://host:/path
//	nfs+iso:host:/path/file.iso  nfs+iso:host:/path/filesystem.img
//	file:///path  /path  /path/file.iso  /path/filesystem.img  /dev/sda1
//
// isDirectory tells of a path of dom0's; what is no directory is an image.
func Parse(text string, isDirectory func(path string) bool) (Location, error) {
	bad := func(problem string) (Location, error) {
		return Location{}, fmt.Errorf("location %q: %s", printable.Text(text), problem)
	}
	if i := strings.IndexFunc(text, isControl); i >= 0 {
		return bad("a control character")
	}
	text = lowered(text)
	switch {
	case text == "":
		return bad("it is empty")
	case text[0] == '/':
		return local(path.Clean(text), "", isDirectory), nil
	case strings.HasPrefix(text, "file://"):
		file, inside, err := cutFile(text)
		if err != nil {
			return bad(err.Error())
		}
		return local(file, inside, isDirectory), nil
	case strings.HasPrefix(text, "nfs+iso:"):
		image, err := nfsURL(strings.TrimPrefix(text, "nfs+iso:"))
		if err != nil {
			return bad(err.Error())
		}
		return Location{Base: image + "!/", Image: true, Paths: true}, nil
	case strings.HasPrefix(text, "nfs:"):
		dir, err := nfsURL(strings.TrimPrefix(text, "nfs:"))
		if err != nil {
			return bad(err.Error())
		}
		return Location{Base: directory(dir), Image: strings.Contains(dir, "!/"), Paths: !isURL(text)}, nil
	case !isURL(text):
		return bad("want http://, https://, ftp://, tftp://, nfs:HOST:/PATH, nfs+iso:HOST:/PATH, file:///PATH, or a path that begins with /")
	}
	if strings.ContainsAny(text, "?#") {
		return bad("a directory's URL has neither ? nor #")
	}
	scheme, rest, _ := strings.Cut(text, "://")
	if host, _, _ := strings.Cut(rest, "/"); host == "" {
		return bad("it names no server")
	}
	return Location{Base: directory(scheme + "://" + percent.Escape(rest, ""))}, nil
}

// local is a path of dom0's, and with an inside the directory there of an image.
func local(file, inside string, isDirectory func(string) bool) Location {
	base := "file://" + escape(file)
	if inside == "" && isDirectory(file) {
		return Location{Base: directory(base), Local: file, Paths: true}
	}
	return Location{Base: directory(base + "!/" + escape(inside)), Local: file, Image: true, Paths: true}
}

// cutFile is the path of dom0's in a file: URL, and what follows it inside an
// image.
func cutFile(url string) (file, inside string, err error) {
	rest := strings.TrimPrefix(url, "file://")
	if rest = strings.TrimPrefix(rest, "localhost"); !strings.HasPrefix(rest, "/") {
		return "", "", errors.New("file: names files of this machine: write file:///PATH")
	}
	rest, inside, _ = strings.Cut(rest, "!/")
	file, inside = path.Clean(percent.Unescape(rest)), percent.Unescape(inside)
	if strings.IndexFunc(file+inside, isControl) >= 0 {
		return "", "", errors.New("a control character")
	}
	return file, inside, nil
}

// localFile is the file of dom0's that a URL names, or the image that it looks
// into; "" for a server's. The URL is one of File's, or a user's.
func localFile(url string) string {
	if !strings.HasPrefix(url, "file://") {
		return ""
	}
	file, _, err := cutFile(url)
	if err != nil {
		return ""
	}
	return file
}

// nfsURL reads what follows "nfs:": host:/path as mount(8) takes it, or a URL
// without its scheme, where eliloader let an empty port stand.
func nfsURL(rest string) (string, error) {
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		if strings.Contains(authority, "#") {
			return "", errors.New("write %23 for the # of a name: it ends a URL")
		}
		host, file, _ := strings.Cut(authority, "/")
		if host = strings.TrimSuffix(host, ":"); host == "" {
			return "", errors.New("it names no server")
		}
		return "nfs://" + host + "/" + percent.Escape(strings.TrimLeft(file, "/"), ""), nil
	}
	host, file, ok := strings.Cut(rest, ":/")
	if strings.HasPrefix(rest, "[") {
		var inner string
		if inner, file, ok = strings.Cut(rest[1:], "]:/"); ok {
			if a, err := netip.ParseAddr(inner); err != nil || !a.Is6() {
				return "", errors.New("no IPv6 address between [ and ]")
			}
		}
		host = "[" + inner + "]"
	}
	if !ok || host == "" || strings.ContainsAny(host, "/@ ") || host[0] != '[' && strings.Count(host, ":") > 1 {
		return "", errors.New("want nfs:HOST:/PATH or nfs:[IPV6]:/PATH")
	}
	return "nfs://" + host + "/" + escape(strings.TrimLeft(file, "/")), nil
}

// directory is a URL with one slash at its end. Only the root's has no more.
func directory(url string) string {
	if url == "file:///" {
		return url
	}
	return strings.TrimRight(url, "/") + "/"
}

// File is the URL of a file: of one below the location, or of any other when
// the name is a full URL. An absolute name is refused, as xenpvnetboot read
// such a file of dom0's without a word.
func (l Location) File(name string) (string, error) {
	bad := func(problem string) (string, error) {
		return "", fmt.Errorf("%q: %s", printable.Text(name), problem)
	}
	name = lowered(name)
	switch {
	case strings.IndexFunc(name, isControl) >= 0:
		return bad("a control character")
	case strings.HasPrefix(name, "file://"):
		file, inside, err := cutFile(name)
		if err != nil {
			return bad(err.Error())
		}
		if inside != "" {
			return "file://" + escape(file) + "!/" + escape(inside), nil
		}
		return "file://" + escape(file), nil
	case strings.HasPrefix(name, "nfs:"):
		url, err := nfsURL(strings.TrimPrefix(name, "nfs:"))
		if err != nil {
			return bad(err.Error())
		}
		return url, nil
	case isURL(name):
		scheme, rest, _ := strings.Cut(name, "://")
		if host, file, _ := strings.Cut(rest, "/"); host == "" || file == "" {
			return bad("it names no file of a server")
		}
		return scheme + "://" + percent.Escape(rest, ""), nil
	case strings.HasPrefix(name, "/"):
		return bad(fmt.Sprintf("a file of the location has no / at the beginning; file://%s is dom0's", printable.Text(name)))
	case l.Base == "":
		return bad("it is no URL, and there is no location")
	}
	clean := path.Clean(name)
	if clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		return bad("it is not below the location")
	}
	return l.join(clean), nil
}

// join is the URL of a file below the location by a clean name, as a user
// wrote it.
func (l Location) join(clean string) string {
	if l.Paths {
		return l.Base + escape(clean)
	}
	return l.Base + percent.Escape(clean, "")
}

// String is the location's URL without a password.
func (l Location) String() string { return printable.WithoutPassword(l.Base) }

// IsFullURL says whether a name needs no location.
func IsFullURL(name string) bool {
	name = lowered(name)
	return isURL(name) || strings.HasPrefix(name, "nfs:")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func escape(name string) string {
	return percent.Escape(name, "%#?!")
}
