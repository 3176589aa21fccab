package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Rules A1 and A2: the names and their order.
func TestSearchPath(t *testing.T) {
	h := Host{
		MAC:     net.HardwareAddr{0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD},
		UUID:    "564D1C4F-0A1B-4C3D-8E5F-A0B1C2D3E4F5",
		Address: netip.MustParsePrefix("192.168.1.199/24"), Server: netip.MustParseAddr("192.168.1.166"),
		BootFile: "boot/pxelinux.0", ConfigFile: "my.cfg",
	}
	want := strings.Fields(`my.cfg
		pxelinux.cfg/564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5 pxelinux.cfg/4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5
		pxelinux.cfg/01-88-99-aa-bb-cc-dd
		pxelinux.cfg/C0A801C7 pxelinux.cfg/C0A801C pxelinux.cfg/C0A801 pxelinux.cfg/C0A80
		pxelinux.cfg/C0A8 pxelinux.cfg/C0A pxelinux.cfg/C0 pxelinux.cfg/C pxelinux.cfg/default`)
	for i := range want {
		want[i] = "tftp://192.168.1.166/boot/" + want[i]
	}
	diff(t, "search path", want, SearchPath(h))

	diff(t, "nothing known", []string{"tftp://0.0.0.0/pxelinux.cfg/default"}, SearchPath(Host{}))

	ib := Host{MAC: h.MAC, HardwareType: 0x20, BootFile: "http://h/b/lpxelinux.0", ConfigFile: "tftp://o/x"}
	diff(t, "other hardware, HTTP prefix", []string{
		"tftp://o/x", "http://h/b/pxelinux.cfg/20-88-99-aa-bb-cc-dd", "http://h/b/pxelinux.cfg/default",
	}, SearchPath(ib))
}

func TestUUIDNames(t *testing.T) {
	for _, test := range []struct {
		uuid string
		want string
	}{
		{"", ""},
		{"not a uuid", ""},
		{"00000000-0000-0000-0000-000000000000", ""},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", ""},
		{"{564d1c4f0a1b4c3d8e5fa0b1c2d3e4f5}", "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5 4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5"},
		// The seventh byte decides for each spelling.
		{"564d1c4f-0a1b-4c05-8e5f-a0b1c2d3e4f5", "564d1c4f-0a1b-4c05-8e5f-a0b1c2d3e4f5"},
		{"564d1c4f-0a1b-05cc-8e5f-a0b1c2d3e4f5", "4f1c4d56-1b0a-cc05-8e5f-a0b1c2d3e4f5"},
		{"11111111-2222-3333-8e5f-a0b1c2d3e4f5", "11111111-2222-3333-8e5f-a0b1c2d3e4f5"},
	} {
		if got := strings.Join(uuidNames(test.uuid), " "); got != test.want {
			t.Errorf("%q: got %q, want %q", test.uuid, got, test.want)
		}
	}
}

// Rules A7, H9, H10 and H12: what is not there or empty is stepped over.
func TestFind(t *testing.T) {
	h := testHost()
	h.ConfigFile = "my.cfg"
	v := &visit{tree: tree{"pxelinux.cfg/01-00-16-3e-72-79-e3": "", "pxelinux.cfg/C0A8": "DEFAULT x\n"}}
	c, err := Find(t.Context(), h, v.open)
	if err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, try := range c.Tried {
		results = append(results, strings.TrimPrefix(try.URL, serverURL)+": "+try.Result)
	}
	diff(t, "tried", []string{
		"my.cfg: not found",
		"pxelinux.cfg/4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5: not found", "pxelinux.cfg/564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5: not found",
		"pxelinux.cfg/01-00-16-3e-72-79-e3: empty",
		"pxelinux.cfg/C0A801C7: not found", "pxelinux.cfg/C0A801C: not found", "pxelinux.cfg/C0A801: not found", "pxelinux.cfg/C0A80: not found",
		"pxelinux.cfg/C0A8: found",
	}, results)
	diff(t, "URL", serverURL+"pxelinux.cfg/C0A8", c.URL)
}

func TestFindNothing(t *testing.T) {
	v := &visit{}
	c, err := Find(t.Context(), testHost(), v.open)
	if !errors.Is(err, ErrNoConfig) || len(c.Tried) != 12 {
		t.Errorf("got %v after %d names, want ErrNoConfig after 12", err, len(c.Tried))
	}
	if _, err := c.Boot(t.Context()); !errors.Is(err, ErrNoConfig) {
		t.Errorf("Boot: got %v, want ErrNoConfig", err)
	}
	if _, err := c.BootLabel(t.Context(), "x"); !errors.Is(err, ErrNoConfig) {
		t.Errorf("BootLabel: got %v, want ErrNoConfig", err)
	}
}

// A server that is silent for one name is not asked for the next one.
func TestFindSilence(t *testing.T) {
	asked := 0
	open := func(context.Context, string) (io.ReadCloser, error) {
		if asked++; asked < 3 {
			return nil, fmt.Errorf("server says: %w", ErrNotFound)
		}
		return nil, errSilent
	}
	c, err := Find(t.Context(), testHost(), open)
	if !errors.Is(err, errSilent) || asked != 3 || len(c.Tried) != 3 || c.Tried[2].Result != "error" {
		t.Errorf("got %v after %d requests, tried %v", err, asked, c.Tried)
	}
	if !strings.Contains(err.Error(), "pxelinux.cfg/01-00-16-3e-72-79-e3") {
		t.Errorf("the error does not name the file: %v", err)
	}
}

// The same holds for includes and for what Boot asks.
func TestSilenceLater(t *testing.T) {
	files := tree{"pxelinux.cfg/default": "DEFAULT x\nINCLUDE inc\nLABEL a\nKERNEL k\n"}
	for _, silent := range []string{"inc", "x.img", "x.c32"} {
		v := &visit{tree: files}
		open := func(ctx context.Context, url string) (io.ReadCloser, error) {
			if strings.HasSuffix(url, "/"+silent) {
				return nil, errSilent
			}
			return v.open(ctx, url)
		}
		c, err := Find(t.Context(), testHost(), open)
		if err == nil {
			_, err = c.Boot(t.Context())
		}
		if !errors.Is(err, errSilent) {
			t.Errorf("%s: got %v, want that the server is silent", silent, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := &visit{tree: tree{"pxelinux.cfg/default": "DEFAULT x\n"}}
	if _, err := Find(ctx, testHost(), v.open); !errors.Is(err, context.Canceled) || len(v.requests) != 0 {
		t.Errorf("got %v after %d requests", err, len(v.requests))
	}
}

// An error in the middle of a file is no configuration.
func TestBrokenOff(t *testing.T) {
	open := func(context.Context, string) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("DEFAULT x\n"), failing{})), nil
	}
	c, err := Find(t.Context(), testHost(), open)
	if !errors.Is(err, errSilent) || c.URL != "" || len(c.Labels) != 0 {
		t.Errorf("got %v, %q and labels %v", err, c.URL, c.Labels)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errSilent }

// The limits of what a server can make us read.
func TestLimits(t *testing.T) {
	endless := func(context.Context, string) (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }
	if _, err := Find(t.Context(), testHost(), endless); !errors.Is(err, ErrTooLarge) {
		t.Errorf("endless file: got %v, want ErrTooLarge", err)
	}

	many := "INCLUDE missing\n"
	v := &visit{tree: tree{"pxelinux.cfg/default": strings.Repeat(many, 2000)}}
	if _, err := Find(t.Context(), testHost(), v.open); !errors.Is(err, ErrTooLarge) || len(v.requests) > maxFiles {
		t.Errorf("2000 includes: got %v after %d requests, want ErrTooLarge", err, len(v.requests))
	}

	if testing.Short() {
		return
	}
	v = &visit{tree: tree{"pxelinux.cfg/default": strings.Repeat("LABEL\n", maxEntries+2)}}
	if _, err := Find(t.Context(), testHost(), v.open); !errors.Is(err, ErrTooLarge) {
		t.Errorf("labels: got %v, want ErrTooLarge", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Many labels are one map, not as many searches.
func TestManyLabels(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "LABEL %d\n", i)
	}
	b.WriteString("DEFAULT 99999\nLABEL 99999\nKERNEL no\n")
	c, _ := tree{"pxelinux.cfg/default": b.String()}.find(t)
	boot, err := c.Boot(t.Context())
	if err != nil || boot.Args != "BOOT_IMAGE=99999 " || len(c.Labels) != 100_000 {
		t.Errorf("got %+v, %v and %d labels", boot, err, len(c.Labels))
	}
}

// Rule B11: includes that go round or down without end are cut.
func TestIncludeLoops(t *testing.T) {
	files := tree{"pxelinux.cfg/default": "INCLUDE a\nDEFAULT x\nLABEL x\n", "a": "INCLUDE b\nAPPEND a\n", "b": "INCLUDE a\nINCLUDE d0\n"}
	for i := range 30 {
		files[fmt.Sprintf("d%d", i)] = fmt.Sprintf("INCLUDE d%d\n", i+1)
	}
	c, v := files.find(t)
	if !slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "b:1: tftp://192.168.1.2/a includes itself") }) ||
		!slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "nest deeper than 16") }) {
		t.Errorf("warnings: %v", c.Warnings)
	}
	b, err := c.Boot(t.Context())
	if err != nil || v.fetch(t, b).Outcome != Error {
		t.Errorf("got %+v, %v", b, err)
	}
}

// Rules B9 and B11: which line says what boots, over files.
func TestDefault(t *testing.T) {
	const at = serverURL
	files := tree{
		"a": "DEFAULT a\n", "b": "# b\nDEFAULT b x\n", "ui": "UI menu.c32\n",
		"other": "\nDEFAULT o\nLABEL o\nKERNEL k\n", "menu.c32": "x",
	}
	for config, want := range map[string]Default{
		"INCLUDE a\nINCLUDE b\n":                                      {"b x", false, at + "b", 2},
		"INCLUDE b\nINCLUDE a\n":                                      {"a", false, at + "a", 1},
		"INCLUDE a\nDEFAULT c\n":                                      {"c", false, at + "pxelinux.cfg/default", 2},
		"INCLUDE ui\nINCLUDE a\nLABEL a\nKERNEL k\n":                  {"menu.c32", true, at + "ui", 1},
		"INCLUDE ui\nUI vesamenu.c32\nINCLUDE a\nLABEL a\nKERNEL k\n": {"vesamenu.c32", true, at + "pxelinux.cfg/default", 2},
		"TEXT HELP\nDEFAULT a\nENDTEXT\n":                             {},
		"LABEL x\nCONFIG other\nDEFAULT x\n":                          {"o", false, at + "other", 2}, // after Boot
	} {
		files["pxelinux.cfg/default"] = config
		for range 200 { // maps have an order of their own each time
			if got := files.boots(t).Config.Default; got != want {
				t.Fatalf("%q: got %+v, want %+v", config, got, want)
			}
		}
	}
}

func TestLines(t *testing.T) {
	for text, want := range map[string]int{"DEFAULT a": 1, "DEFAULT a\n": 1, "DEFAULT a\r\nTIMEOUT 50\r\nLABEL a": 3, "\n\n": 2, strings.Repeat("x", 5000) + "\n": 1} {
		c, _ := tree{"pxelinux.cfg/default": text}.find(t)
		if c.Lines != want {
			t.Errorf("%.20q: got %d lines, want %d", text, c.Lines, want)
		}
	}
}

// pypxeboot's --config-dir: another directory beside the boot file.
func TestConfigDir(t *testing.T) {
	h := Host{Server: netip.MustParseAddr("192.168.1.166"), BootFile: "boot/pxelinux.0", ConfigDir: "pxeboot.cfg/"}
	diff(t, "search path", []string{"tftp://192.168.1.166/boot/pxeboot.cfg/default"}, SearchPath(h))
}
