package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSweepUp(t *testing.T) {
	for word, left := range map[string]int{"": 0, "k": 2} {
		dir := t.TempDir()
		paths := []string{filepath.Join(dir, "kernel"), filepath.Join(dir, "ramdisk"), filepath.Join(dir, "never made")}
		for _, path := range paths[:2] {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		sweepUp(strings.NewReader(word), paths)
		if got := names(t, dir); len(got) != left {
			t.Errorf("after %q: %v", word, got)
		}
	}
}
