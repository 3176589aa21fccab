package console

import "testing"

func TestTook(t *testing.T) {
	for ms, want := range map[float64]string{
		0.04: "0.0 ms", 0.5: "0.5 ms", 9.94: "9.9 ms", 9.96: "10 ms", 35.5: "36 ms", 999.4: "999 ms", 999.6: "1.0 s", 3852.7: "3.9 s", 9940: "9.9 s", 9960: "10 s", 59400: "59 s",
		59600: "1 min", 75000: "1 min 15 s", 300000: "5 min", 3599400: "59 min 59 s", 7260000: "2 h 1 min",
	} {
		if got := Took(ms); got != want {
			t.Errorf("%g: %q, want %q", ms, got, want)
		}
	}
}
