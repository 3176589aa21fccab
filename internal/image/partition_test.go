package image_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// twoTrees differ in what tells from which partition a file came.
func twoTrees(tb testing.TB) (first, second tree) {
	first = tree{files: map[string][]byte{"both": []byte("first\n"), "first": []byte("1\n"), "a/b": nil}}
	second = tree{files: map[string][]byte{"both": []byte("second\n"), "second": []byte("2\n"), "a": []byte("file\n")}}
	first.dir, second.dir = first.write(tb), second.write(tb)
	return first, second
}

// disk makes a partitioned image and puts images into partitions, by the
// numbers of their first sectors.
func disk(tb testing.TB, out, script string, size, sector int64, partitions map[int64]string) {
	tb.Helper()
	noError(tb, os.WriteFile(out, nil, 0o644))
	noError(tb, os.Truncate(out, size))
	if sector == 512 {
		run(tb, script, "sfdisk", "--quiet", out)
	} else {
		run(tb, script, "fdisk", "-b", fmt.Sprint(sector), out) // sfdisk has no option for it yet
	}
	f, err := os.OpenFile(out, os.O_WRONLY, 0)
	noError(tb, err)
	defer f.Close()
	for start, file := range partitions {
		content, err := os.ReadFile(file)
		noError(tb, err)
		_, err = f.WriteAt(content, start*sector)
		noError(tb, err)
	}
}

// partitioned are disks with the first tree in one partition and the second in
// a later one.
var partitioned = []struct {
	name          string
	sector        int64
	script        string // of sfdisk, or of fdisk for other sectors
	first, second int64
}{
	{"mbr", 512, "label: dos\nstart=64,size=64,type=82\nstart=2048,size=2048,type=83\nstart=4096,size=2048,type=c\n", 2048, 4096},
	{"mbr-logical", 512, "label: dos\nstart=128,size=2048,type=83\nstart=2560,size=5632,type=5\n" +
		"start=2624,size=64,type=82\nstart=2752,size=512,type=83\nstart=4096,size=2048,type=83\n", 128, 4096},
	{"mbr-4k", 4096, "o\nn\np\n1\n256\n511\nn\np\n2\n512\n767\nw\n", 256, 512},
	{"gpt", 512, "label: gpt\nstart=64,size=64\nstart=2048,size=2048\nstart=4096,size=2048\n", 2048, 4096},
	{"gpt-4k", 4096, "g\nn\n1\n256\n511\nn\n2\n512\n767\nw\n", 256, 512},
}

func makePartitioned(tb testing.TB, i int, out string) {
	tb.Helper()
	first, second := twoTrees(tb)
	dir := tb.TempDir()
	ext, fat := filepath.Join(dir, "ext"), filepath.Join(dir, "fat")
	run(tb, "", "mke2fs", "-q", "-F", "-t", "ext2", "-d", first.dir, ext, "1M")
	run(tb, "", "mkfs.fat", "-C", fat, "1024")
	for name := range second.files {
		run(tb, "", "mtools", "-c", "mcopy", "-i", fat, filepath.Join(second.dir, name), "::/")
	}
	p := partitioned[i]
	disk(tb, out, p.script, 8192*p.sector, p.sector, map[int64]string{p.first: ext, p.second: fat})
}

func TestPartitions(t *testing.T) {
	for i, p := range partitioned {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "disk")
			makePartitioned(t, i, file)
			checkPartitioned(t, file)
		})
	}
}

func checkPartitioned(t *testing.T, file string) {
	m := open(t, file)
	want(t, m, "/both", []byte("first\n"))
	want(t, m, "/first", []byte("1\n"))
	want(t, m, "/second", []byte("2\n"))
	want(t, m, "/a", []byte("file\n")) // a directory in the first
	want(t, m, "/a/b", nil)
}

// TestHybrid opens an ISO 9660 image that is a partitioned disk too, as
// installers are: what counts is ISO 9660.
func TestHybrid(t *testing.T) {
	first, second := twoTrees(t)
	dir := t.TempDir()
	file, efi := filepath.Join(dir, "iso"), filepath.Join(dir, "efi")
	run(t, "", "mke2fs", "-q", "-F", "-t", "ext2", "-d", second.dir, efi, "1M")
	run(t, "", "xorriso", "-as", "mkisofs", "-quiet", "-append_partition", "2", "0xef", efi, "-appended_part_as_gpt", "-o", file, first.dir)
	m := open(t, file)
	want(t, m, "both", []byte("first\n"))
	want(t, m, "a/b", nil)
}
