package image

import (
	"bytes"
	"cmp"
	"io"
	"math/bits"
	"strings"
)

// fat is a FAT12, FAT16 or FAT32 file system (Microsoft's fatgen103).
type fat struct {
	disk     *disk
	bits     int64 // of a number in the table: 12, 16 or 32
	table    int64 // offset
	cluster  int64 // size of a cluster
	data     int64 // offset of cluster 2, the first
	clusters int64
}

// maxFATDirectory is what 16 bits of entries take.
const maxFATDirectory = 65536 * fatEntry

const fatEntry = 32

func openFAT(d *disk) (node, error) {
	b, err := d.bytes(0, 512)
	if err != nil || b[510] != 0x55 || b[511] != 0xaa {
		return nil, nil
	}
	sector, perCluster := int64(le.Uint16(b[11:])), int64(b[13])
	reserved, tables := int64(le.Uint16(b[14:])), int64(b[16])
	rootEntries := int64(le.Uint16(b[17:]))
	sectors, tableSectors := int64(le.Uint16(b[19:])), int64(le.Uint16(b[22:]))
	sectors = cmp.Or(sectors, int64(le.Uint32(b[32:])))
	wide := tableSectors == 0
	if wide {
		tableSectors = int64(le.Uint32(b[36:]))
	}
	// There is no magic, so that all of this must fit. An MBR ends alike.
	power := func(n int64) bool { return bits.OnesCount64(uint64(n)) == 1 }
	if b[0] != 0xeb && b[0] != 0xe9 || !power(sector) || sector < 512 || sector > 4096 || !power(perCluster) ||
		reserved == 0 || tables == 0 || tables > 2 || b[21] < 0xf0 || tableSectors == 0 || wide != (rootEntries == 0) {
		return nil, nil
	}
	fs := &fat{disk: d, table: reserved * sector, cluster: perCluster * sector}
	root := extent{(reserved + tables*tableSectors) * sector, rootEntries * fatEntry}
	fs.data = root.at + (root.length+sector-1)/sector*sector
	fs.clusters = (sectors*sector - fs.data) / fs.cluster
	switch { // as Linux decides it; fatgen103 forbids what would differ
	case wide:
		fs.bits = 32
	case fs.clusters < 4085:
		fs.bits = 12
	default:
		fs.bits = 16
	}
	if fs.clusters <= 0 || (fs.clusters+2)*fs.bits > tableSectors*sector*8 {
		return nil, damaged("a FAT file system with a table too small or no clusters")
	}
	n := &fatNode{fs: fs, mode: directory, root: root}
	if wide {
		n.first = int64(le.Uint32(b[44:]))
	}
	return n, nil
}

// fatNode is a directory entry.
type fatNode struct {
	fs     *fat
	mode   kind
	first  int64 // cluster
	length int64
	root   extent // FAT12's and FAT16's root is in no cluster
}

func (n *fatNode) kind() kind  { return n.mode }
func (n *fatNode) size() int64 { return n.length }

func (n *fatNode) contents() (io.Reader, error) {
	if n.root.length > 0 {
		return &mapped{disk: n.fs.disk, next: inOrder([]extent{n.root})}, nil
	}
	if n.length > n.fs.clusters*n.fs.cluster {
		return nil, damaged("a file larger than its file system") // its chain would be a circle
	}
	return &mapped{disk: n.fs.disk, next: n.fs.chain(n.first)}, nil
}

// chain follows the clusters of a file, and takes those in a row together.
func (fs *fat) chain(cluster int64) func(int64) (extent, error) {
	const most = 256
	return func(int64) (extent, error) {
		if cluster == fs.end() {
			return extent{}, io.EOF
		}
		first, count := cluster, int64(0)
		for count < most && cluster == first+count {
			if cluster < 2 || cluster >= fs.clusters+2 {
				return extent{}, damaged("cluster %d of %d", cluster, fs.clusters+2)
			}
			next, err := fs.next(cluster)
			if err != nil {
				return extent{}, err
			}
			cluster = next
			count++
		}
		return extent{fs.data + (first-2)*fs.cluster, count * fs.cluster}, nil
	}
}

// end is the mark of the last cluster; next returns it for all such marks.
func (fs *fat) end() int64 { return 1<<min(28, fs.bits) - 1 }

func (fs *fat) next(cluster int64) (int64, error) {
	b := make([]byte, (fs.bits+7)/8)
	if err := fs.disk.read(b, fs.table+cluster*fs.bits/8); err != nil {
		return 0, err
	}
	var next int64
	switch fs.bits {
	case 12:
		next = int64(le.Uint16(b)) >> (cluster % 2 * 4) & 0xfff
	case 16:
		next = int64(le.Uint16(b))
	case 32:
		next = int64(le.Uint32(b)) & 0xfffffff // 28 bits of it are the number's
	}
	if next >= fs.end()-7 {
		next = fs.end()
	}
	return next, nil
}

// lookup compares long and short names without regard to case.
func (n *fatNode) lookup(name string) (node, error) {
	r, err := n.contents()
	if err != nil {
		return nil, err
	}
	var long fatLongName
	entry := make([]byte, fatEntry)
	for range maxFATDirectory / fatEntry {
		switch _, err := io.ReadFull(r, entry); {
		case err == io.EOF:
			return nil, ErrNotFound
		case err != nil:
			return nil, short(err)
		}
		attributes := entry[11]
		switch {
		case entry[0] == 0:
			return nil, ErrNotFound // the end
		case entry[0] == 0xe5:
			long = fatLongName{} // deleted
		case attributes&0x3f == 0x0f:
			long.add(entry)
		case attributes&0x08 != 0:
			long = fatLongName{} // the volume's label
		default:
			if strings.EqualFold(name, shortName(entry)) || strings.EqualFold(name, long.of(entry)) {
				return n.fs.node(entry), nil
			}
			long = fatLongName{}
		}
	}
	return nil, damaged("a FAT directory without end")
}

func (fs *fat) node(entry []byte) *fatNode {
	n := &fatNode{fs: fs, mode: regular, first: int64(le.Uint16(entry[26:])), length: int64(le.Uint32(entry[28:]))}
	if fs.bits == 32 {
		n.first |= int64(le.Uint16(entry[20:])) << 16
	}
	if entry[11]&0x10 != 0 {
		n.mode, n.length = directory, 0
	}
	return n
}

func shortName(entry []byte) string {
	base, extension := bytes.TrimRight(entry[:8], " "), bytes.TrimRight(entry[8:11], " ")
	name := string(base)
	if entry[0] == 0x05 { // stands for 0xe5, which would mean deleted
		name = "\xe5" + name[1:]
	}
	if len(extension) > 0 {
		name += "." + string(extension)
	}
	return name
}

// fatLongName collects the entries of a long name, which stand before that of
// the short name with the last part first. They count only when all are there.
type fatLongName struct {
	text     string
	missing  byte // how many parts
	checksum byte // of the short name
}

func (l *fatLongName) add(entry []byte) {
	part := entry[0] &^ 0x40
	switch {
	case entry[0]&0x40 != 0 && part > 0 && part <= 20:
		*l = fatLongName{missing: part, checksum: entry[13]}
	case l.missing == 0 || part != l.missing || entry[13] != l.checksum:
		*l = fatLongName{}
		return
	}
	units := bytes.Join([][]byte{entry[1:11], entry[14:26], entry[28:32]}, nil)
	text, _, _ := strings.Cut(ucs2(units, le.Uint16), "\x00")
	l.text = text + l.text
	l.missing--
}

// of is the long name that belongs to a short one's entry, "" without.
func (l *fatLongName) of(entry []byte) string {
	var sum byte
	for _, c := range entry[:11] {
		sum = bits.RotateLeft8(sum, -1) + c
	}
	if l.missing > 0 || sum != l.checksum {
		return ""
	}
	return l.text
}
