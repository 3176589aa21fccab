package wire

import (
	"io"
	"os"
	"testing"
	"time"
)

// A network that sends without end does not hold Stop.
func TestRecordEnds(t *testing.T) {
	for name, clock := range map[string]func() time.Time{"with times": time.Now, "without": func() time.Time { return time.Time{} }} {
		t.Run(name, func(t *testing.T) {
			writer, err := NewWriter(io.Discard, 1<<10)
			if err != nil {
				t.Fatal(err)
			}
			r := &Recorder{writer: writer}
			before, frames := clock(), 0
			giveUp := time.Now().Add(5 * time.Second)
			r.recordFrom(func(stopped bool) ([]byte, time.Time, error) {
				frames++
				switch {
				case time.Now().After(giveUp):
					t.Error("it goes on")
					return nil, time.Time{}, io.EOF
				case frames == 3 && !stopped:
					return nil, time.Time{}, os.ErrDeadlineExceeded
				case frames < 10: // there before Stop
					return make([]byte, 60), before, nil
				}
				return make([]byte, 60), clock(), nil
			})
			if frames < 10 {
				t.Errorf("%d frames of 9 that were there", frames)
			}
		})
	}
}
