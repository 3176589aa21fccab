// Package labtest has what tests that run in a lab share. Such a package's
// TestMain calls lab.Main.
package labtest

import (
	"errors"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
)

// New builds a lab that is closed when the test ends. The test is skipped
// where the kernel allows no namespaces.
func New(t testing.TB, config lab.Config) *lab.Lab {
	t.Helper()
	l, err := lab.New(t.Context(), config)
	Check(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Check ends the test on an error: it is skipped when the error says that this
// machine lacks a program or namespaces, and fails otherwise.
func Check(t testing.TB, err error) {
	t.Helper()
	var missing *lab.MissingError
	if errors.As(err, &missing) || errors.Is(err, lab.ErrOutside) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
