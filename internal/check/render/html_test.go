package render

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", file, diff)
	}
}

// examples are the facts of testdata, by the file's name.
func examples(t *testing.T) map[string]check.Facts {
	t.Helper()
	files, err := filepath.Glob("../testdata/facts/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	all := make(map[string]check.Facts)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f check.Facts
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = f
	}
	return all
}

// html5 is the page for some facts.
func html5(t testing.TB, f check.Facts) []byte {
	t.Helper()
	var page bytes.Buffer
	if err := HTML(&page, f, check.Diagnose(f)); err != nil {
		t.Fatal(err)
	}
	return page.Bytes()
}

var sampleStanzas = []check.Stanza{
	{Program: "dnsmasq", Text: "dhcp-boot=pxelinux.0,,192.168.1.166"},
	{Program: "ISC dhcpd", Text: `next-server 192.168.1.166; filename "pxelinux.0";`},
	{Program: "Kea", Text: `"next-server": "192.168.1.166", "boot-file-name": "pxelinux.0"`},
}

// sampleReport has all that a report may have. The pages do not depend on what
// Diagnose makes of the facts.
var sampleReport = check.Report{
	Steps: []check.Step{
		{Name: "bridge", Status: check.OK, Detail: "xenbr0, uplink eth0", Millis: 0},
		{Name: "dhcp", Status: check.Warn, Detail: "Two DHCP servers answer", Millis: 2.2},
		{Name: "server", Status: check.Fail, Detail: "The next-server 192.168.1.250 can't be reached", Millis: 3012.5},
	},
	Verdict: check.Verdict{
		Code: check.NextServerUnreachable, Summary: "The next-server 192.168.1.250 can't be reached.", Evidence: "no answer to ARP",
		Advice: "correct next-server", Stanzas: sampleStanzas,
	},
}

func TestHTML(t *testing.T) {
	for name, f := range examples(t) {
		t.Run(name, func(t *testing.T) {
			var page bytes.Buffer
			if err := HTML(&page, f, sampleReport); err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(page.Bytes(), []byte(reportStyle)) {
				t.Error("the style is not in the page")
			}
			golden(t, "html/"+name+".html", bytes.Replace(page.Bytes(), []byte(reportStyle), []byte("..."), 1))
		})
	}
}

// The first facts that have next to nothing.
func TestHTMLOfNothing(t *testing.T) {
	page := string(html5(t, check.Facts{Began: time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)}))
	for _, heading := range []string{"What was said", "The offer", "The bridge", "The files"} {
		if strings.Contains(page, ">"+heading) {
			t.Errorf("there is a section %q of nothing", heading)
		}
	}
}

// nasty is what a network may say.
const nasty = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{.}}` + "\x00\x1b[31m\r\n\u202egpj.exe\u2066\u200b\ufeff\u2028\u0301\u0301\u0085\xff\xfe" + `javascript:alert(1)`

// everywhere puts a text into every string of a value, and n of it into lists.
func everywhere(v reflect.Value, text string, n int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		everywhere(v.Elem(), text, n)
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]check.Value]() && n <= 0 {
			return // Value.Passed has values in it
		}
		v.Set(reflect.MakeSlice(v.Type(), max(n, 1), max(n, 1)))
		for i := range v.Len() {
			everywhere(v.Index(i), text, n-2)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case netip.Addr:
			v.Set(reflect.ValueOf(netip.MustParseAddr("192.0.2.1")))
			return
		case netip.Prefix:
			v.Set(reflect.ValueOf(netip.MustParsePrefix("192.0.2.1/24")))
			return
		case time.Time:
			return
		}
		for i := range v.NumField() {
			everywhere(v.Field(i), text, n)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1e9)
	case reflect.Int, reflect.Int64:
		v.SetInt(1 << 40)
	}
}

// elements are all that the page is made of.
var elements = strings.Fields(`html head meta title style body header p dl div dt dd code time main section h1 h2 h3 b i ol ul li span
	details summary small table thead tbody tr th td pre article footer br`)

// attributes are those that they have.
var attributes = strings.Fields(`lang charset name content http-equiv class id style datetime scope role tabindex aria-labelledby aria-hidden
	data-label`)

func TestHTMLEscapes(t *testing.T) {
	var f check.Facts
	everywhere(reflect.ValueOf(&f).Elem(), nasty, 3)
	r := check.Report{
		Steps:   []check.Step{{Name: nasty, Status: check.Fail, Detail: nasty}},
		Verdict: check.Verdict{Code: nasty, Summary: nasty, Evidence: nasty, Advice: nasty, Stanzas: []check.Stanza{{Program: "dnsmasq", Text: nasty}}},
	}
	var page bytes.Buffer
	if err := HTML(&page, f, r); err != nil {
		t.Fatal(err)
	}
	for i, c := range page.String() {
		if c == utf8.RuneError || c != '\n' && c != '\t' && unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || unicode.IsMark(c) {
			t.Fatalf("there is %U behind %q", c, page.String()[max(0, i-40):i])
		}
	}
	if shown := strings.Count(page.String(), `\u{202e}gpj.exe`); shown < 50 {
		t.Errorf("the text is shown %d times only", shown)
	}
	tokens := html.NewTokenizer(&page)
	for tokens.Next() != html.ErrorToken {
		token := tokens.Token()
		if token.Type != html.StartTagToken && token.Type != html.SelfClosingTagToken {
			continue
		}
		if !slices.Contains(elements, token.Data) {
			t.Errorf("there is an element %s", token)
		}
		for _, a := range token.Attr {
			if !slices.Contains(attributes, a.Key) || strings.Contains(a.Val, "alert") {
				t.Errorf("there is an attribute in %s", token)
			}
			if number := regexp.MustCompile(`^--(i|a|b|lanes|offers): \d+(; --b: \d+)?$`); a.Key == "style" && !number.MatchString(a.Val) {
				t.Errorf("there is a style in %s", token)
			}
		}
	}
}

// Whatever comes, a browser can still show the page.
func TestHTMLIsBounded(t *testing.T) {
	var f check.Facts
	everywhere(reflect.ValueOf(&f).Elem(), strings.Repeat("x", 100<<10), 4)
	for range 5000 {
		f.Events = append(f.Events, check.Event{From: "guest", To: fmt.Sprint(len(f.Events)), Kind: "RRQ", Summary: "a file"})
		f.Search = append(f.Search, plan.Try{URL: strings.Repeat("u", 300)})
		f.Offers = append(f.Offers, f.Offers[0])
		f.Variants = append(f.Variants, check.Variant{})
	}
	page := html5(t, f)
	if len(page) > 4<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for _, said := range []string{"4604 more are left out", "x… (102400 bytes)"} {
		if !bytes.Contains(page, []byte(said)) {
			t.Errorf("the page does not say %q", said)
		}
	}
}

func TestShow(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"pxelinux.0", "pxelinux.0"},
		{"pxelinux.0\xff", `pxelinux.0\xff`},
		{"a\r\n\t\x00b\x7f", `a\x0d\x0a\x09\x00b\x7f`},
		{"Prüfstand – ελ 試験 😀", "Prüfstand – ελ 試験 😀"},
		{"a\u202eb\u2069\u200f", `a\u{202e}b\u{2069}\u{200f}`},
		{"e\u0301\u00a0\u3000\u2028", `e\u{301}\u{a0}\u{3000}\u{2028}`},
		{"\ufeff\u00ad\U000e0041\ue000", `\u{feff}\u{ad}\u{e0041}\u{e000}`},
		{strings.Repeat("é", 400), strings.Repeat("é", 256) + "… (800 bytes)"},
	} {
		if got := show(test.in); got != test.want {
			t.Errorf("show(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{"name it": "Name it", "DHCP": "DHCP", "": ""} {
		if got := sentence(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestLadder(t *testing.T) {
	var f check.Facts
	f.Subject.MAC = "00:16:3e:00:00:01"
	say := func(at float64, from, to string) {
		f.Events = append(f.Events, check.Event{Millis: at, From: from, To: to, Kind: "X"})
	}
	say(0, "guest", "broadcast")
	say(1, "192.0.2.1", "guest")
	say(1000, "guest", "192.0.2.2")
	for i := range 6 {
		say(1001, fmt.Sprintf("192.0.2.%d", 10+i), "guest")
	}
	l := newLadder(&f)
	var lanes []string
	for _, lane := range l.Lanes {
		lanes = append(lanes, lane.Name)
	}
	if diff := cmp.Diff([]string{"guest", "192.0.2.1", "192.0.2.2", "192.0.2.10", "192.0.2.11", "192.0.2.12"}, lanes); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
	var rows []string
	for _, r := range l.Rows {
		rows = append(rows, fmt.Sprintf("%s%d-%d %t %t %t", r.Gap, r.A, r.B, r.Leftward, r.ToAll, r.Other))
	}
	want := []string{
		"0-5 false true false", "0-1 true false false", "999 ms0-0 false false false", "0-2 false false false",
		"0-3 true false false", "0-4 true false false", "0-5 true false false",
		"0-5 false false true", "0-5 false false true", "0-5 false false true",
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// Text is readable on all that it stands on, in both schemes: WCAG 2.1 §1.4.3.
func TestContrast(t *testing.T) {
	schemes := strings.SplitN(reportStyle, "@media", 3)[:2]
	color := func(scheme, name string) float64 {
		m := regexp.MustCompile(`--` + name + `: #(..)(..)(..);`).FindStringSubmatch(scheme)
		if m == nil {
			t.Fatalf("no colour %s", name)
		}
		luminance := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(m[i+1], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			if c := float64(n) / 255; c <= 0.03928 {
				luminance += weight * c / 12.92
			} else {
				luminance += weight * math.Pow((c+0.055)/1.055, 2.4)
			}
		}
		return luminance
	}
	for i, scheme := range schemes {
		for _, pair := range []string{
			"text page", "text card", "text faint", "text fail-tint", "text warn-tint", "muted page", "muted card", "muted faint", "muted warn-tint", "muted fail-tint",
			"accent card", "ok card", "warn card", "fail card", "ok ok-tint", "warn warn-tint", "fail fail-tint",
		} {
			front, back, _ := strings.Cut(pair, " ")
			a, b := color(scheme, front), color(scheme, back)
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("scheme %d: %s has a contrast of %.2f only", i, pair, ratio)
			}
		}
	}
}

// A proxyDHCP server has other things to say than one that gives addresses.
func TestOfferTable(t *testing.T) {
	offer := func(proxy bool, said ...string) (o check.Offer) {
		o.Proxy = proxy
		for i := 0; i < len(said); i += 2 {
			o.Values = append(o.Values, check.Value{Name: check.ValueName(said[i]), Value: said[i+1]})
		}
		return o
	}
	for _, test := range []struct {
		name   string
		offers []check.Offer
		want   []string // the names of rows that differ
	}{
		{"one", []check.Offer{offer(false, "boot file", "a")}, nil},
		{"the same", []check.Offer{offer(false, "boot file", "a"), offer(false, "boot file", "a")}, nil},
		{"another", []check.Offer{offer(false, "boot file", "a", "router", "r"), offer(false, "boot file", "b", "router", "r")}, []string{"boot file"}},
		{"nothing", []check.Offer{offer(false), offer(false, "boot file", "b")}, []string{"boot file"}},
		{"other addresses", []check.Offer{offer(false, "address", "1"), offer(false, "address", "2")}, nil},
		{"a proxy", []check.Offer{offer(false, "router", "r"), offer(true, "boot file", "a")}, nil},
		{"a proxy that differs", []check.Offer{offer(false, "boot file", "b"), offer(true, "boot file", "a")}, []string{"boot file"}},
	} {
		var got []string
		for _, row := range newOfferTable(test.offers).Rows {
			if row.Differs {
				got = append(got, string(row.Name))
			}
			if len(row.Cells) != len(test.offers) {
				t.Errorf("%s: %d cells", test.name, len(row.Cells))
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
