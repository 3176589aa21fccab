package guest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// A child never writes what its parent would not read, and can always say so.
func TestTooLarge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "answers")
	answers, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	c := &Child{answers: answers}
	if err := c.Send(strings.Repeat("x", maxAnswers)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	for err = nil; err == nil; {
		err = c.Send(strings.Repeat("\xe9", 100))
	}
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	last := strings.Repeat("x", lastAnswer-3) // in quotes, on a line
	if err := c.SendLast(last); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || len(text) > maxAnswers || !strings.HasSuffix(string(text), last+"\"\n") {
		t.Errorf("%d bytes were written, and at most %d are read (%v)", len(text), maxAnswers, err)
	}
}

// Nor what is too many values for it.
func TestTooMany(t *testing.T) {
	answers, err := os.Create(filepath.Join(t.TempDir(), "answers"))
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	c := &Child{answers: answers}
	if err := c.Send(make([]struct{}, maxValues/(objectCount+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if err := c.Send(make([]struct{}, 10000)); err != nil {
		t.Errorf("got %v", err)
	}
	if err := c.SendLast(make([]struct{}, 100)); err != nil {
		t.Errorf("the last: %v", err)
	}
}

// What the parent makes of few bytes is bounded; what is in strings counts nothing.
func TestFewValues(t *testing.T) {
	for text, want := range map[string]int{
		`{}`:                      4,
		`{"a":1,"b":"[{,"}`:       4,
		`{"\"[{,":"\\"}`:          4,
		`[]`:                      1,
		`[0,0,0]`:                 3,
		`[[],[],{"a":1,"b":2}]`:   9,
		`{"a":{"b":["x,y","z"]}}`: 10,
		`]}],`:                    0,
	} {
		enough := &fewValues{r: strings.NewReader(text), most: want}
		if _, err := io.ReadAll(iotest.OneByteReader(enough)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := io.ReadAll(&fewValues{r: strings.NewReader(text), most: want - 1}); err == nil {
			t.Errorf("%s: it is more than %d", text, want-1)
		}
	}
}
