package guest

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

type word string

type inner struct {
	Names []string
	By    map[string]word
}

type message struct {
	Text    string
	Word    word
	Nested  *inner
	Nil     *inner
	None    []string
	MAC     net.HardwareAddr
	Address netip.Addr
	When    time.Time
	Length  int
	Hidden  string `json:"-"`
	private string
}

// Every byte arrives that is put into a message, and the message that was sent
// stays what it is.
func TestExact(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, text := range []string{"", "quiet", "caf\xe9", "café", "\xff\xfe\x80", "\ufffd", "☃ \U0001f427", string(all)} {
		sent := message{
			Text: text, Word: word(text), Nested: &inner{[]string{text, "a"}, map[string]word{text: word(text)}},
			MAC: net.HardwareAddr{0, 22, 62, 0xe9, 0xff, 1}, Address: netip.MustParseAddr("192.168.1.1"),
			When: time.Unix(1, 0).UTC(), Length: 7, Hidden: "not sent", private: "nor this",
		}
		want := sent
		want.Hidden, want.private = "", ""
		line, err := json.Marshal(toText(&sent))
		if err != nil {
			t.Fatal(err)
		}
		if sent.Text != text || sent.Nested.Names[0] != text {
			t.Errorf("%q: the message itself has changed: %+v", text, sent)
		}
		var got message
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		fromText(&got)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(message{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// A child that was taken over can write anything.
func FuzzExact(f *testing.F) {
	f.Add(`{"Text":"caf\u00e9","Nested":{"By":{"\u0100":"\ud800"}}}`)
	f.Fuzz(func(t *testing.T, line string) {
		var m message
		if json.Unmarshal([]byte(line), &m) != nil {
			return
		}
		fromText(&m)
		back, err := json.Marshal(toText(m))
		if err != nil || !utf8.Valid(back) || strings.Contains(string(back), `\ufffd`) {
			t.Errorf("%q becomes %q (%v)", line, back, err)
		}
	})
}
