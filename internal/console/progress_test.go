package console

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	c := New(&out, Normal)
	c.Progress(1<<20, 4<<20, time.Second)
	if out.Len() > 0 {
		t.Errorf("what is no terminal got %q", &out)
	}
	c.end = "\r\n"
	c.Stage("before")
	c.Progress(10<<20, 64<<20, time.Second)
	c.Progress(11<<20, 64<<20, time.Second) // too soon
	c.Stage("x")
	c.Stage("y")
	const line = "gopxeboot: 10.0 of 64.0 MiB, 10.0 MiB/s, 5 s left"
	want := "gopxeboot: before\r\n\r" + line + "\r" + string(bytes.Repeat([]byte(" "), len(line))) + "\rgopxeboot: x\r\ngopxeboot: y\r\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error("(-want +got)\n", diff)
	}
}

// A log keeps every line, so it has few of them, and none that takes the place
// of another.
func TestProgressKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := New(&out, Normal)
		c.end = "\r\n"
		c.Keep()
		for range 2 { // downloads
			for began := time.Now(); time.Since(began) < 55*time.Second; time.Sleep(time.Second / 2) {
				c.Progress(int64(time.Since(began)/time.Second)<<20, 64<<20, time.Since(began))
			}
			c.Stage("kernel")
		}
		want := strings.Repeat("gopxeboot: 10.0 of 64.0 MiB, 1.0 MiB/s, 54 s left\r\n"+
			"gopxeboot: 20.0 of 64.0 MiB, 1.0 MiB/s, 44 s left\r\n"+
			"gopxeboot: 40.0 of 64.0 MiB, 1.0 MiB/s, 24 s left\r\ngopxeboot: kernel\r\n", 2)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error("(-want +got)\n", diff)
		}
		out.Reset()
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(time.Second / 2) {
			c.Progress(0, -1, time.Since(began))
		}
		if n := strings.Count(out.String(), "\n"); n > 10 {
			t.Errorf("%d lines in an hour", n)
		}
	})
}

func TestProgressText(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		took        time.Duration
		want        string
	}{
		{0, -1, 0, "0.0 MiB, 0.0 MiB/s"},
		{0, 1 << 20, time.Second, "0.0 of 1.0 MiB, 0.0 MiB/s"},
		{1 << 20, -1, time.Second, "1.0 MiB, 1.0 MiB/s"},
		{1 << 20, 1 << 20, time.Second, "1.0 of 1.0 MiB, 1.0 MiB/s, 0 s left"},
		{2 << 20, 1 << 20, time.Second, "2.0 MiB, 2.0 MiB/s"},
		{1 << 20, 2 << 30, time.Second, "1.0 of 2048.0 MiB, 1.0 MiB/s, 34 min left"},
		{1, 1 << 60, time.Hour, "0.0 of 1099511627776.0 MiB, 0.0 MiB/s"},
	} {
		if got := progress(tt.done, tt.total, tt.took); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
