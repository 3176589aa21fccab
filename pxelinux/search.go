package pxelinux

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"
)

// SearchPath returns the names of the configuration file in the order in
// which PXELINUX asks for them, as absolute URLs: option 209, the UUID, the
// MAC address, the IP address from 8 to 1 digits, and default.
//
// A PV guest has no SMBIOS whose bytes would say how its UUID is spelled, so
// that both spellings are asked for: the toolstack's, and the one with the
// first three fields swapped, which is what PXELINUX asks for on a machine
// (and in an HVM guest) whose firmware shows the same uuid.
func SearchPath(h Host) []string {
	m := newMachine(h, nil)
	var urls []string
	for _, name := range searchNames(h) {
		if url, err := m.resolve(name); err == nil {
			urls = append(urls, url)
		}
	}
	return urls
}

func searchNames(h Host) []string {
	dir := cmp.Or(strings.TrimRight(h.ConfigDir, "/"), "pxelinux.cfg") + "/"
	var names []string
	if h.ConfigFile != "" {
		names = append(names, h.ConfigFile)
	}
	for _, uuid := range uuidNames(h.UUID) {
		names = append(names, dir+uuid)
	}
	if mac := macName(h); mac != "" {
		names = append(names, dir+mac)
	}
	if addr := h.Address.Addr().Unmap(); addr.Is4() {
		digits := fmt.Sprintf("%08X", addr.AsSlice())
		for n := len(digits); n > 0; n-- {
			names = append(names, dir+digits[:n])
		}
	}
	return append(names, dir+"default")
}

// uuidNames returns the text of a uuid and its byte-swapped form. PXELINUX
// takes a uuid for one only when its seventh byte, the version in most
// spellings, is from 0x10 to 0xef.
func uuidNames(uuid string) []string {
	b := parseUUID(uuid)
	if b == nil {
		return nil
	}
	swapped := []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}
	swapped = append(swapped, b[8:]...)
	var names []string
	for _, b := range [][]byte{b, swapped} {
		if name := formatUUID(b); b[6] >= 0x10 && b[6] < 0xf0 && (len(names) == 0 || names[0] != name) {
			names = append(names, name)
		}
	}
	return names
}

// uuidText is SYSUUID's value: the toolstack's spelling, which is also the
// first name that is asked for.
func uuidText(uuid string) string {
	if names := uuidNames(uuid); len(names) > 0 {
		return names[0]
	}
	return ""
}

func parseUUID(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Trim(s, " {}"), "-", ""))
	if err != nil || len(b) != 16 {
		return nil
	}
	return b
}

func formatUUID(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
