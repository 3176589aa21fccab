package guest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
