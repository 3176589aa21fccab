package verify

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// MaxList bounds a list, in bytes. Debian's of a whole mirror has 0.3 MB.
const MaxList = 4 << 20

// A List is the digests of files by their names: relative to the list's own
// directory, or URLs.
type List map[string]Digest

// A line as sha256sum(1) writes it, for text or binary, and as it does with
// --tag.
var (
	plain  = regexp.MustCompile(`^(\\?)([0-9a-fA-F]{64}) [ *](.+)$`)
	tagged = regexp.MustCompile(`^(\\?)([A-Za-z0-9/-]+) \((.+)\) = ([0-9a-fA-F]+)$`)
)

// ParseList reads a list. Lines may end in CRLF, and comments begin with #. A
// line that is none, a name that leads out of the list's directory, and two
// digests for one name are errors.
func ParseList(text []byte) (List, error) {
	if len(text) > MaxList {
		return nil, fmt.Errorf("%d bytes of digests are more than %d", len(text), MaxList)
	}
	list, number := make(List), 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, hex, escaped := "", "", false
		if m := plain.FindStringSubmatch(line); m != nil {
			name, hex, escaped = m[3], m[2], m[1] != ""
		} else if m := tagged.FindStringSubmatch(line); m != nil {
			if m[2] != "SHA256" {
				continue // another sum of the same file
			}
			name, hex, escaped = m[3], m[4], m[1] != ""
		}
		if escaped {
			name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
		}
		digest, err := ParseDigest(hex)
		if err != nil {
			return nil, fmt.Errorf("line %d is none of sha256sum's: %q", number, printable.Line(line, 80))
		}
		key, err := keyOf(name)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if other, ok := list[key]; ok && other != digest {
			return nil, fmt.Errorf("line %d: %s has two digests", number, printable.Line(key, 80))
		}
		list[key] = digest
	}
	if len(list) == 0 {
		return nil, errors.New("there is no digest in it, as sha256sum writes them")
	}
	return list, nil
}

// keyOf is what a name or a URL stands for in a List.
func keyOf(name string) (string, error) {
	if strings.Contains(name, "://") {
		return name, nil
	}
	clean := path.Clean(name)
	if clean == "." || clean == ".." || strings.HasPrefix(clean, "../") || path.IsAbs(clean) {
		return "", fmt.Errorf("%q leads out of the list's directory", printable.Line(name, 80))
	}
	return clean, nil
}

// of looks a file up: by its name below the list's directory, else by its whole
// URL.
func (l List) of(base, url string) (Digest, bool) {
	base, url = oneSlash(base), oneSlash(url)
	if name, ok := strings.CutPrefix(url, base); ok && base != "" {
		if key, err := keyOf(percent.Unescape(name)); err == nil {
			if digest, ok := l[key]; ok {
				return digest, true
			}
		}
	}
	digest, ok := l[printable.WithoutPassword(url)]
	return digest, ok
}

// oneSlash is a URL without the second slash that GRUB's absolute names bring
// with them: tftp://server//grub/grub.cfg. The digest says whether it is the
// same file.
func oneSlash(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	host, path, slash := strings.Cut(rest, "/")
	if !ok || !slash {
		return url
	}
	return scheme + "://" + host + "/" + strings.TrimLeft(path, "/")
}
