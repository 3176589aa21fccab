package ipxe

import (
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/cpio"
)

// maxParents bounds the directories of one file.
const maxParents = 100

// Header is what iPXE puts before a file of size bytes that has a Mode: the
// head of a cpio archive's entry, so that the kernel finds the file by that name,
// and its directories' (core/cpio.c, cpio_header). It is empty for a file without one.
// The path may be empty, where a script's variable was.
func (f File) Header(size int64) (header []byte) {
	if f.Mode == 0 {
		return nil
	}
	for _, dir := range f.parents() {
		header = append(header, cpio.Header(dir, 0o40755, 0)...)
	}
	return append(header, cpio.Header(f.Path, f.Mode, size)...)
}

// parents are the directories to make, the outermost first.
func (f File) parents() (dirs []string) {
	for i, c := range f.Path {
		if c == '/' && strings.Trim(f.Path[:i], "/") != "" && f.Path[i-1] != '/' {
			dirs = append(dirs, f.Path[:i])
		}
	}
	most := maxParents
	if f.Parents >= 0 {
		most = min(int(f.Parents), most)
	}
	return dirs[max(len(dirs)-most, 0):]
}
