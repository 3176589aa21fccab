package nfs3

import (
	"errors"
	"slices"
	"strings"
)

const (
	maxHandle  = 64   // bytes, NFS3_FHSIZE
	maxPath    = 4096 // bytes; MNTPATHLEN is 1024
	maxFlavors = 64
	maxExports = 4096
)

// handle is a server's name for a file, valid for as long as the file is there.
type handle []byte

// mnt asks for the handle of a directory that is exported, or is in one.
func (s *session) mnt(dir string) (handle, error) {
	const procedure = 1
	var arguments encoder
	arguments.opaque([]byte(dir))
	results, err := s.mount.call(mount, procedure, arguments)
	if err != nil {
		return nil, err
	}
	if err := results.status(); err != nil {
		return nil, err
	}
	h := slices.Clone(results.opaque(maxHandle))
	count := results.uint32()
	sys := count == 0
	for range min(count, maxFlavors) {
		if flavor := results.uint32(); flavor <= authSys {
			sys = true
		}
	}
	switch {
	case results.failed || len(h) == 0:
		return nil, garbled("a mount without a handle")
	case !sys:
		return nil, errors.Join(ErrDenied, errors.New("the export wants Kerberos"))
	}
	s.mounted = append(s.mounted, dir)
	return h, nil
}

// unmountAll takes us off the server's list of who has mounted what, which is
// all that it does (RFC 1813, section 5.2.3): handles stay valid.
func (s *session) unmountAll() {
	const procedure = 3
	for _, dir := range s.mounted {
		var arguments encoder
		arguments.opaque([]byte(dir))
		if _, err := s.mount.call(mount, procedure, arguments); err != nil {
			return
		}
	}
}

// exportOf is the exported directory that a mounted one is in, as far as the
// server says so: many keep their list to themselves.
func (s *session) exportOf(dir []string) []string {
	const procedure = 5
	results, err := s.mount.call(mount, procedure, nil)
	if err != nil {
		return dir
	}
	longest := -1
	for n := 0; results.bool() && n < maxExports; n++ {
		export := split(string(results.opaque(maxPath)))
		for results.bool() { // who may mount it
			results.opaque(maxPath)
		}
		if hasPrefix(dir, export) {
			longest = max(longest, len(export))
		}
	}
	if results.failed || longest < 0 {
		return dir
	}
	return dir[:longest]
}

// split takes a path apart into the names that it is made of.
func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}

func hasPrefix(path, prefix []string) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

func join(names []string) string { return "/" + strings.Join(names, "/") }
