package resume

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	changed := errors.New("changed")
	const file = "0123456789abcdef"
	for _, c := range []struct {
		name    string
		overlap int
		pieces  []string // each with where it begins, by its first byte
		want    string
		err     error
		again   bool
	}{
		{"at once", 4, []string{file}, file, nil, false},
		{"from the beginning", 0, []string{"01234567", file}, file, nil, false},
		{"from before its end", 4, []string{"01234567", "456789ab", "89abcdef"}, file, nil, false},
		{"less than that is there", 4, []string{"01", file}, file, nil, false},
		{"another beginning", 0, []string{"01234567", "0123x567"}, "01234567", changed, false},
		{"another end", 4, []string{"01234567", "4x67"}, "01234567", changed, false},
		{"shorter", 0, []string{"01234567", "0123"}, "01234567", nil, true},
		{"broken off twice on the way", 0, []string{"01234567", "0123", file}, file, nil, false},
	} {
		var got strings.Builder
		w, err := New(&got, c.overlap, changed), error(nil)
		for i, piece := range c.pieces {
			begin := int64(strings.Index(file, piece[:1]))
			if i > 0 {
				if begin != 0 && begin != w.From() {
					t.Fatalf("%s: it may begin at %d", c.name, w.From())
				}
				w.Restart(begin)
			}
			_, err = io.CopyBuffer(w, io.LimitReader(strings.NewReader(piece), 100), make([]byte, 3))
		}
		if got.String() != c.want || !errors.Is(err, c.err) || w.Again() != c.again || w.Written() != int64(got.Len()) {
			t.Errorf("%s: %q, %v, again %v, %d written", c.name, got.String(), err, w.Again(), w.Written())
		}
	}
}
