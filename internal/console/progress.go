package console

import (
	"fmt"
	"strings"
	"time"
)

// Progress shows on a terminal how many bytes have come, in how much time, and
// how long the rest will take. Total is -1 when it is not known. Each call
// replaces the line of the one before, at most twice a second; what the other
// methods print takes its place. What is no terminal gets nothing. Where the
// lines are kept, each stays: the first one after ten seconds, the next one when
// it has taken twice as long as at the one before. Ten are enough for an hour.
func (c *Console) Progress(done, total int64, took time.Duration) {
	if c.level < Normal || c.end != "\r\n" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil {
		return
	}
	now := time.Now()
	text := "gopxeboot: " + progress(done, total, took)
	if took < c.keptAt { // another download
		c.keptAt = 0
	}
	switch {
	case c.kept && took >= max(2*c.keptAt, 10*time.Second):
		c.keptAt = took
		fmt.Fprint(c.w, text, c.end)
	case !c.kept && now.Sub(c.shownAt) >= 450*time.Millisecond:
		c.shownAt = now
		fmt.Fprintf(c.w, "\r%s%s", text, strings.Repeat(" ", max(c.shown-len(text), 0)))
		c.shown = len(text)
	}
}

// Keep says that what the terminal shows is also kept in a file, to be read
// later: libxl's bootloader.DOMID.log, libxl_bootloader.c.
func (c *Console) Keep() { c.kept = true }

// clear makes room for a line where progress is shown.
func (c *Console) clear() string {
	if c.shown == 0 {
		return ""
	}
	blank := "\r" + strings.Repeat(" ", c.shown) + "\r"
	c.shown, c.shownAt = 0, time.Time{}
	return blank
}

func progress(done, total int64, took time.Duration) string {
	const mib = 1 << 20
	rate := float64(done) / max(took.Seconds(), 1e-3)
	text := fmt.Sprintf("%.1f MiB", float64(done)/mib)
	if total >= done {
		text = fmt.Sprintf("%.1f of %.1f MiB", float64(done)/mib, float64(total)/mib)
	}
	text += fmt.Sprintf(", %.1f MiB/s", rate/mib)
	if total >= done && rate > 0 {
		left := float64(total-done) / rate
		switch {
		case left < 100:
			text += fmt.Sprintf(", %.0f s left", left)
		case left < 100*60:
			text += fmt.Sprintf(", %.0f min left", left/60)
		}
	}
	return text
}
