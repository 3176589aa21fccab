package install

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/arch"
)

// maxTreeinfo is as much as a .treeinfo can be, in bytes. Fedora's have 2 to 10
// KiB.
const maxTreeinfo = 256 << 10

// treeinfos are the names of the file, as virt-install asks for them.
var treeinfos = []string{".treeinfo", "treeinfo"}

// sections are the parts of an ini file: names to keys to values.
type sections map[string]map[string]string

// tryTreeinfo takes what .treeinfo says: the kernel for Xen, else the
// architecture's.
func (s *search) tryTreeinfo(ctx context.Context) (bool, error) {
	if s.wanted.Distro != Any && s.wanted.Distro != RedHat {
		return false, nil
	}
	for _, name := range treeinfos {
		url, err := s.below(name)
		if err != nil {
			return false, err
		}
		begin := time.Now()
		text, err := s.site.Read(ctx, url)
		if err := s.note(url, text != nil, err, begin); err != nil {
			return false, err
		}
		for _, p := range parseTreeinfo(text).places(s.wanted.Archs) {
			if done, err := s.try(ctx, p); done || err != nil {
				return done, err
			}
		}
	}
	return false, nil
}

// parseTreeinfo reads lines as Python's ConfigParser does, which writes these
// files. What it does not understand is not there.
func parseTreeinfo(text []byte) sections {
	all := make(sections)
	var section map[string]string
	for line := range strings.Lines(string(text[:min(len(text), maxTreeinfo)])) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = nil
			if name, ok := strings.CutSuffix(name, "]"); ok {
				if section = all[name]; section == nil {
					section = make(map[string]string)
					all[name] = section
				}
			}
			continue
		}
		if i := strings.IndexAny(line, "=:"); i > 0 && section != nil {
			section[strings.ToLower(strings.TrimSpace(line[:i]))] = strings.TrimSpace(line[i+1:])
		}
	}
	return all
}

// places are the kernels that it names, with their initrds. A name that leads
// out of the location is left out.
func (s sections) places(archs []arch.Machine) []place {
	var names []string
	for _, m := range archs {
		names = append(names, string(m), m.RPM())
	}
	if len(archs) == 0 {
		for _, section := range []string{"tree", "general"} {
			names = append(names, s[section]["arch"])
		}
		names = append(names, "x86_64", "i386")
	}
	var list []place
	for _, name := range slices.Concat([]string{"xen"}, names) {
		images := s["images-"+name]
		p := place{kernel: path.Clean(images["kernel"]), ramdisk: path.Clean(images["initrd"]), distro: RedHat}
		if isLocalName(p.kernel) && isLocalName(p.ramdisk) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// isLocalName says whether a name, from wherever it comes, is that of a file
// below the location: no absolute path, no "..", no URL.
func isLocalName(name string) bool {
	return name != "." && fs.ValidPath(name) && len(name) <= 1024 && !strings.ContainsAny(name, `:\`) && strings.IndexFunc(name, isControl) < 0
}
