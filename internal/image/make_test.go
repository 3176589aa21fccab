package image_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

const sieveBlock = 4096

// tree is what an image is made of: contents, or targets of links, by path.
type tree struct {
	files map[string][]byte
	links map[string]string
	dir   string // where write has laid it out
}

// newTree has a kernel of size bytes, half of it zeros and the rest what no
// compression makes smaller, a file with a hole after each 4 KiB, and a
// directory of many files.
func newTree(size, holes, many int) tree {
	kernel := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(kernel[:size/4])
	random.Read(kernel[3*size/4:])
	sieve := make([]byte, (holes*2-1)*sieveBlock)
	for i := range holes {
		copy(sieve[i*2*sieveBlock:], bytes.Repeat(fmt.Appendf(nil, "%15d\n", i), sieveBlock/16))
	}
	files := map[string][]byte{
		"kernel":        kernel,
		"sieve":         sieve,
		"empty":         {},
		"sub/deep/file": []byte("deep\n"),
	}
	for i := range many {
		files[fmt.Sprintf("many/e%04d", i)] = nil
		if i%10 == 0 {
			files[fmt.Sprintf("many/e%04d", i)] = fmt.Appendf(nil, "entry %d\n", i)
		}
	}
	return tree{files: files}
}

// longNames adds names that need more than 8.3 capitals.
func (t tree) longNames() tree {
	t.files = maps.Clone(t.files)
	t.files["Mixed Case, ünï and more than thirty-one.Conf"] = []byte("long\n")
	t.files["boot/vmlinuz-6.1.0-41-amd64"] = []byte("linux\n")
	t.files[strings.Repeat("n", 101)] = []byte("longer\n")
	return t
}

// withLinks adds symbolic links of all kinds.
func (t tree) withLinks() tree {
	t.links = map[string]string{
		"linux":        "kernel",
		"dirlink":      "sub/deep",
		"sub/up":       "../kernel",
		"sub/absolute": "/sub/deep/file",
		"sub/climb":    "../../../../sub/./deep//file",
		"passwd":       "../../../../../../../etc/passwd",
		"absent":       "/etc/passwd",
		"loop":         "loop2",
		"loop2":        "sub/../loop",
		"long":         strings.Repeat("sub/../", 40) + "kernel",  // two entries of Rock Ridge
		"longest":      strings.Repeat("sub/../", 120) + "kernel", // half a block
		"medium":       strings.Repeat("sub/../", 15) + "kernel",  // more than 60 bytes, less than a block
		"hop0":         "kernel",
	}
	for i := range 41 {
		t.links[fmt.Sprintf("hop%d", i+1)] = fmt.Sprintf("hop%d", i)
	}
	return t
}

// write lays the tree out in a new directory, with holes for blocks of zeros.
func (t tree) write(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for name, content := range t.files {
		file := filepath.Join(dir, name)
		noError(tb, os.MkdirAll(filepath.Dir(file), 0o755))
		f, err := os.Create(file)
		noError(tb, err)
		noError(tb, f.Truncate(int64(len(content))))
		for at := 0; at < len(content); at += sieveBlock {
			block := content[at:min(len(content), at+sieveBlock)]
			if len(bytes.Trim(block, "\x00")) > 0 {
				_, err := f.WriteAt(block, int64(at))
				noError(tb, err)
			}
		}
		noError(tb, f.Close())
	}
	for name, target := range t.links {
		noError(tb, os.Symlink(target, filepath.Join(dir, name)))
	}
	return dir
}

func noError(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// run runs a program, or skips the test where there is none.
func run(tb testing.TB, stdin, program string, args ...string) {
	tb.Helper()
	cmd, err := real.Program(program, args...)
	labtest.Check(tb, err)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "MTOOLS_SKIP_CHECK=1", "LC_ALL=C.UTF-8")
	if err := cmd.Run(); err != nil {
		tb.Fatalf("%v: %v\n%s", cmd.Args, err, out.String())
	}
}

// maker makes an image of a tree by a program of the field.
type maker struct {
	name  string
	short bool // only 8.3 names in capitals
	links bool
	fold  bool                                    // names in any case
	make  func(tb testing.TB, t tree, out string) // t has been written
}

// trees are a tree with and without what not every file system can store.
type trees struct{ short, long, links tree }

func newTrees(tb testing.TB, t tree) trees {
	all := trees{t, t.longNames(), t.longNames().withLinks()}
	for _, t := range []*tree{&all.short, &all.long, &all.links} {
		t.dir = t.write(tb)
	}
	return all
}

// tree is the one that the maker can store.
func (m maker) tree(all trees) tree {
	switch {
	case m.short:
		return all.short
	case m.links:
		return all.links
	}
	return all.long
}

// makers returns them for images of about size bytes.
func makers(size int64) []maker {
	mebi := fmt.Sprintf("%dM", size>>20)
	ext := func(args ...string) func(testing.TB, tree, string) {
		return func(tb testing.TB, t tree, out string) {
			run(tb, "", "mke2fs", append(args, "-q", "-F", "-d", t.dir, out, mebi)...)
		}
	}
	genisoimage := func(args ...string) func(testing.TB, tree, string) {
		return func(tb testing.TB, t tree, out string) {
			run(tb, "", "genisoimage", append(args, "-quiet", "-input-charset", "utf-8", "-o", out, t.dir)...)
		}
	}
	xorriso := func(args ...string) func(testing.TB, tree, string) {
		return func(tb testing.TB, t tree, out string) {
			run(tb, "", "xorriso", append(append([]string{"-as", "mkisofs", "-quiet"}, args...), "-o", out, t.dir)...)
		}
	}
	squashfs := func(args ...string) func(testing.TB, tree, string) {
		return func(tb testing.TB, t tree, out string) {
			run(tb, "", "mksquashfs", append([]string{t.dir, out, "-quiet", "-no-progress", "-all-root"}, args...)...)
		}
	}
	fat := func(size int64, args ...string) func(testing.TB, tree, string) {
		return func(tb testing.TB, t tree, out string) {
			run(tb, "", "mkfs.fat", append(args, "-C", out, fmt.Sprint(size>>10))...)
			names, err := filepath.Glob(filepath.Join(t.dir, "*"))
			noError(tb, err)
			run(tb, "", "mtools", append(append([]string{"-c", "mcopy", "-s", "-i", out}, names...), "::/")...)
		}
	}
	xfs := func(args ...string) func(testing.TB, tree, string) {
		return func(tb testing.TB, t tree, out string) {
			proto := filepath.Join(tb.TempDir(), "proto")
			noError(tb, os.WriteFile(proto, []byte(t.protofile()), 0o644))
			noError(tb, os.WriteFile(out, nil, 0o644))
			// --unsupported lets it make one of less than 300 MiB.
			run(tb, "", "mkfs.xfs", append(args, "-q", "--unsupported", "-p", proto,
				"-d", fmt.Sprintf("file,name=%s,size=%d", out, max(size, 16<<20)))...)
		}
	}
	return []maker{
		{name: "iso-rockridge", links: true, make: genisoimage("-R")},
		{name: "iso-rockridge-joliet", links: true, make: genisoimage("-R", "-J", "-joliet-long")},
		{name: "iso-joliet", fold: true, make: genisoimage("-J", "-joliet-long")},
		{name: "iso-plain", short: true, fold: true, make: genisoimage("-iso-level", "1")},
		{name: "iso-xorriso", links: true, make: xorriso("-R")},
		{name: "iso-xorriso-joliet", fold: true, make: xorriso("-J", "-joliet-long", "--norock")},
		{name: "ext2-1k", links: true, make: ext("-t", "ext2", "-b", "1024")},
		{name: "ext2-4k", links: true, make: ext("-t", "ext2", "-b", "4096")},
		{name: "ext2-revision0", links: true, make: ext("-t", "ext2", "-r", "0")},
		{name: "ext3", links: true, make: ext("-t", "ext3")},
		{name: "ext4-1k", links: true, make: ext("-t", "ext4", "-b", "1024")},
		{name: "ext4-4k", links: true, make: ext("-t", "ext4", "-b", "4096", "-O", "64bit")},
		{name: "ext4-32bit", links: true, make: ext("-t", "ext4", "-O", "^64bit,^metadata_csum,bigalloc")},
		{name: "ext4-inline", links: true, make: ext("-t", "ext4", "-O", "inline_data", "-I", "512")},
		{name: "fat12", fold: true, make: fat(min(size, 12<<20), "-F", "12")},
		{name: "fat16", fold: true, make: fat(size, "-F", "16", "-s", fmt.Sprint(max(1, size>>24)))},
		{name: "fat32", fold: true, make: fat(max(size, 36<<20), "-F", "32", "-s", "1")},
		{name: "fat16-4k", fold: true, make: fat(max(size, 20<<20), "-F", "16", "-S", "4096", "-s", "1")},
		{name: "squashfs-gzip", links: true, make: squashfs("-comp", "gzip")},
		{name: "squashfs-xz", links: true, make: squashfs("-comp", "xz", "-b", "1M")},
		{name: "squashfs-zstd", links: true, make: squashfs("-comp", "zstd")},
		{name: "squashfs-lz4", links: true, make: squashfs("-comp", "lz4", "-b", "4096")},
		{name: "squashfs-raw", links: true, make: squashfs("-noI", "-noD", "-noF", "-no-fragments")},
		{name: "xfs", links: true, make: xfs()},
		{name: "xfs-1k", links: true, make: xfs("-b", "size=1024", "-n", "size=4096")},
		{name: "xfs-v4", links: true, make: xfs("-m", "crc=0", "-n", "ftype=0")},
	}
}

// protofile is the tree as mkfs.xfs takes it, which has no quotes for blanks.
func (t tree) protofile() string {
	var b strings.Builder
	b.WriteString("/\n0 0\nd--755 0 0\n")
	t.directory(&b, "")
	b.WriteString("$\n")
	return b.String()
}

func (t tree) directory(b *strings.Builder, prefix string) {
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || strings.Contains(rest, " ") {
			continue
		}
		base, _, deeper := strings.Cut(rest, "/")
		switch {
		case !deeper:
			fmt.Fprintf(b, "%s ---644 0 0 %s\n", base, filepath.Join(t.dir, name))
		case !seen[base]:
			seen[base] = true
			fmt.Fprintf(b, "%s d--755 0 0\n", base)
			t.directory(b, prefix+base+"/")
			b.WriteString("$\n")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.links)) {
		if d, base := path.Split(name); d == prefix {
			fmt.Fprintf(b, "%s l--777 0 0 %s\n", base, t.links[name])
		}
	}
}
