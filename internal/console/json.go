package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
)

// WriteJSON prints a value as JSON that people read on a terminal, too: it is
// indented, and DEL, the control characters of ISO 6429's C1 set, and what has
// no form but changes others' order, which JSON allows and a terminal obeys, are
// escaped.
func WriteJSON(w io.Writer, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	var safe bytes.Buffer
	for _, r := range text.String() {
		// In a string: all else is ASCII.
		if r >= 0x7f && r <= 0x9f || r <= 0xffff && unicode.Is(unicode.Cf, r) {
			fmt.Fprintf(&safe, `\u%04x`, r)
		} else {
			safe.WriteRune(r)
		}
	}
	_, err := w.Write(safe.Bytes())
	return err
}
