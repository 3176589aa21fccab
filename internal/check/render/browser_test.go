package render_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/render"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// browser is a headless Chromium with a home of its own and no network.
type browser struct {
	t    *testing.T
	path string
	dir  string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if cmd, err := real.Program(name); err == nil {
			return &browser{t, cmd.Path, t.TempDir()}
		}
	}
	labtest.Missing(t, "a browser to look at the page with (Debian's package chromium)")
	return nil
}

// run shows a page, and returns what the browser prints. It fails when the page
// has something to say on the console, which is always a complaint.
func (b *browser) run(page string, args ...string) string {
	b.t.Helper()
	file := filepath.Join(b.dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
		"--enable-logging=stderr", "--user-data-dir=" + filepath.Join(b.dir, "profile"),
	}, append(args, "file://"+file)...)
	cmd := exec.CommandContext(ctx, b.path, args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir, "XDG_CACHE_HOME="+b.dir)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%s: %v\n%s", b.path, err, complaints.Bytes())
	}
	for line := range strings.Lines(complaints.String()) {
		if strings.Contains(line, "CONSOLE") {
			b.t.Errorf("on the console: %s", line)
		}
	}
	return out.String()
}

// look is what a page looks like in a window of some width.
type look struct {
	Width, Height int // of what is in the window
	Widest        int // where its content ends on the right
	Text          int // characters that can be read
	Arrows        int // of the ladder that can be seen
	Background    string
}

// looks shows pages in windows of these widths, page by page.
func (b *browser) looks(pages [][]byte, widths []int, args ...string) []look {
	b.t.Helper()
	const frame = `<iframe srcdoc="%s" style="width:%dpx;height:800px;border:0"></iframe>`
	const script = `<pre id="looks"></pre><script>
onload = () => {
	const looks = [];
	for (const frame of document.querySelectorAll("iframe")) {
		const d = frame.contentDocument, root = d.documentElement;
		let widest = root.scrollWidth;
		for (const e of d.querySelectorAll("body *")) {
			if (!e.closest(".hidden, thead, .wide")) widest = Math.max(widest, Math.ceil(e.getBoundingClientRect().right));
		}
		looks.push({Width: root.clientWidth, Height: root.scrollHeight, Widest: widest, Text: d.body.innerText.length,
			Arrows: [...d.querySelectorAll(".arrow")].filter(e => e.getBoundingClientRect().width > 0).length,
			Background: frame.contentWindow.getComputedStyle(d.body).backgroundColor});
	}
	document.getElementById("looks").textContent = btoa(JSON.stringify(looks));
}
</script>`
	var wrapper strings.Builder
	wrapper.WriteString("<!DOCTYPE html><meta charset=utf-8>")
	for _, page := range pages {
		for _, width := range widths {
			fmt.Fprintf(&wrapper, frame, strings.NewReplacer("&", "&amp;", `"`, "&quot;").Replace(string(page)), width)
		}
	}
	wrapper.WriteString(script)
	out := b.run(wrapper.String(), append(args, "--dump-dom")...)
	m := regexp.MustCompile(`<pre id="looks">([^<]+)</pre>`).FindStringSubmatch(out)
	if m == nil {
		b.t.Fatalf("the page could not be looked at: %.500s", out)
	}
	var list []look
	data, err := base64.StdEncoding.DecodeString(m[1])
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

const dark = "--blink-settings=preferredColorScheme=0"

// The pages are looked at in a browser: nothing sticks out on a telephone or a
// wide screen, dark is dark, and paper is white.
func TestInBrowser(t *testing.T) {
	b := newBrowser(t)
	names, err := filepath.Glob("../testdata/facts/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d examples, %v", len(names), err)
	}
	var pages [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f check.Facts
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		var page bytes.Buffer
		if err := render.HTML(&page, f, check.Diagnose(f)); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page.Bytes())
	}
	widths := []int{320, 360, 768, 1280, 2560}
	for _, scheme := range [][]string{nil, {dark}} {
		for i, l := range b.looks(pages, widths, scheme...) {
			name, width := names[i/len(widths)], widths[i%len(widths)]
			if l.Width != width || l.Widest > width {
				t.Errorf("%s: content of %d pixels in a window of %d, which has %d", name, l.Widest, width, l.Width)
			}
			if l.Text < 500 || l.Height < 800 {
				t.Errorf("%s: %d characters on %d pixels only", name, l.Text, l.Height)
			}
			if wide := width >= 768; wide != (l.Arrows > 0) {
				t.Errorf("%s: %d arrows in a window of %d", name, l.Arrows, width)
			}
			var red, green, blue int
			if _, err := fmt.Sscanf(l.Background, "rgb(%d, %d, %d)", &red, &green, &blue); err != nil || (red+green+blue > 3*128) != (scheme == nil) {
				t.Errorf("%s: the background is %s, for scheme %v", name, l.Background, scheme)
			}
		}
	}
	page := string(pages[len(pages)-1])
	light, dark := b.screenshot(page), b.screenshot(page, dark)
	if luma(light.At(2, 2)) < 200 || luma(dark.At(2, 2)) > 60 {
		t.Errorf("the corner is %v, and in the dark %v", light.At(2, 2), dark.At(2, 2))
	}
	if colors(light) < 20 || colors(dark) < 20 {
		t.Errorf("%d colours, and in the dark %d", colors(light), colors(dark))
	}
	b.print(page)
}

// screenshot is a picture of the page's beginning.
func (b *browser) screenshot(page string, args ...string) image.Image {
	b.t.Helper()
	file := filepath.Join(b.dir, "page.png")
	b.run(page, append(args, "--window-size=1280,1000", "--screenshot="+file)...)
	f, err := os.Open(file)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		b.t.Fatal(err)
	}
	return picture
}

// print makes a PDF. That it is dark outside changes nothing on paper.
func (b *browser) print(page string) {
	b.t.Helper()
	file := filepath.Join(b.dir, "page.pdf")
	b.run(page, dark, "--no-pdf-header-footer", "--print-to-pdf="+file)
	data, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(data, -1))
	if !bytes.HasPrefix(data, []byte("%PDF-")) || pages < 1 || pages > 8 {
		b.t.Errorf("%d pages of a PDF that begins with %.8q", pages, data)
	}
}

func luma(c color.Color) int { return int(color.GrayModel.Convert(c).(color.Gray).Y) }

// colors is how many a picture has.
func colors(picture image.Image) int {
	seen := make(map[color.Color]bool)
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			seen[picture.At(x, y)] = true
		}
	}
	return len(seen)
}
