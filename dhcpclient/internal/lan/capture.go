package lan

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Undump reads what hex.Dump wrote.
func Undump(tb testing.TB, name string) []byte {
	tb.Helper()
	dump, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	var frame []byte
	for line := range strings.Lines(string(dump)) {
		if len(line) < 60 {
			continue // the last one has only the length, or nothing
		}
		b, err := hex.DecodeString(strings.ReplaceAll(line[10:58], " ", ""))
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		frame = append(frame, b...)
	}
	return frame
}

// Captures are frames that real servers sent to GuestMAC.
func Captures(tb testing.TB, dir string) [][]byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "dnsmasq-*.hex"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("no captures: %v", err)
	}
	var frames [][]byte
	for _, name := range names {
		frames = append(frames, Undump(tb, name))
	}
	return frames
}
