package console

import (
	"bytes"
	"encoding/json"
	"testing"
)

// All that a terminal obeys is escaped, and what was said is what is read.
func TestWriteJSON(t *testing.T) {
	var all []rune
	for r := rune(0); r < 0x200; r++ {
		all = append(all, r)
	}
	want := map[string]string{"args": string(all) + "☃ <&>"}
	var b bytes.Buffer
	if err := WriteJSON(&b, want); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			t.Errorf("%U is printed", r)
		}
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["args"] != want["args"] {
		t.Errorf("got %q (%v)", got, err)
	}
	b.Reset()
	if err := WriteJSON(&b, []string{"é <&>\u009b2J\u007f\u202e"}); err != nil || b.String() != "[\n  \"é <&>\\u009b2J\\u007f\\u202e\"\n]\n" {
		t.Errorf("got %q (%v)", b.String(), err)
	}
	if err := WriteJSON(&b, func() {}); err == nil {
		t.Error("a function is no JSON")
	}
}
