package image

// Bounds for what a hostile table can make us probe. Linux has 256 minors for
// a disk; GPT tables of more than 128 entries are hardly ever seen.
const maxPartitions = 256

// partitions returns the partitions of a GPT or an MBR, for sectors of that
// size. An MBR does not say how large they are: it is whatever size leads to a
// file system.
func partitions(d *disk, sector int64) []*disk {
	switch {
	case d.has("EFI PART", sector):
		return gpt(d, sector)
	case d.has("\x55\xaa", 510):
		return mbr(d, sector)
	}
	return nil
}

func gpt(d *disk, sector int64) (found []*disk) {
	header, err := d.bytes(sector, 92)
	if err != nil {
		return nil
	}
	table, size := int64(le.Uint64(header[72:])), int64(le.Uint32(header[84:]))
	if table < 0 || table > d.size/sector || size < 128 || size > 4096 {
		return nil
	}
	for i := range int64(min(le.Uint32(header[80:]), maxPartitions)) {
		entry, err := d.bytes(table*sector+i*size, 48)
		if err != nil {
			return found
		}
		first, last := int64(le.Uint64(entry[32:])), int64(le.Uint64(entry[40:]))
		unused := le.Uint64(entry) == 0 && le.Uint64(entry[8:]) == 0
		if !unused && first > 0 && first <= last && last < d.size/sector {
			found = append(found, d.part(first*sector, (last-first+1)*sector))
		}
	}
	return found
}

// mbr returns the primary partitions, and where one of them is an extended one
// the logical partitions in it: a list of tables, each with one partition and
// the way to the next table, counted from the start of the extended partition.
func mbr(d *disk, sector int64) (found []*disk) {
	primary, extended := table(d, 0, sector)
	found = primary
	for _, start := range extended {
		at := start
		for range maxPartitions { // the list may be a circle
			logical, next := table(d, at, sector)
			found = append(found, logical...)
			if len(next) == 0 {
				break
			}
			at = start + next[0]
		}
	}
	return found[:min(len(found), maxPartitions)]
}

// table reads the table at an offset: its partitions, and the offsets of the
// extended ones.
func table(d *disk, at, sector int64) (found []*disk, extended []int64) {
	b, err := d.bytes(at, 512)
	if err != nil || b[510] != 0x55 || b[511] != 0xaa {
		return nil, nil
	}
	for i := range 4 {
		entry := b[446+16*i:]
		start, size := int64(le.Uint32(entry[8:]))*sector, int64(le.Uint32(entry[12:]))*sector
		switch entry[4] {
		case 0, 0xee: // unused, and what protects a GPT
		case 0x05, 0x0f, 0x85:
			extended = append(extended, start)
		default:
			if size > 0 && at+start < d.size {
				found = append(found, d.part(at+start, size))
			}
		}
	}
	return found, extended
}
