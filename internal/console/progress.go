package console

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gopxeboot/gopxeboot/internal/printable"
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

// Waits says on a terminal what is being waited for, until the next line; "" takes
// it away.
func (c *Console) Waits(text string) {
	if c.level < Normal || c.end != "\r\n" || c.kept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.w, c.clear())
	if text == "" || c.held != nil {
		return
	}
	text = cutTo("gopxeboot: "+printable.Redacted(text)+" ...", 78) // one line of any terminal
	fmt.Fprint(c.w, text)
	c.shown = utf8.RuneCountInString(text)
}

// Took is a time for people, in milliseconds: as exact as anybody needs it.
func Took(ms float64) string {
	switch {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 9.95e3:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms < 59.5e3:
		return fmt.Sprintf("%.0f s", ms/1000)
	}
	s := int64(ms/1000 + 0.5)
	switch {
	case s < 3600 && s%60 == 0:
		return fmt.Sprintf("%d min", s/60)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
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
