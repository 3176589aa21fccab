// Package labtest has what tests that run in a lab share. Such a package's
// TestMain calls lab.Main.
package labtest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/vishvananda/netlink"
)

// New builds a lab that is closed when the test ends. The test is skipped
// where the kernel allows no namespaces.
func New(t testing.TB, config lab.Config) *lab.Lab {
	t.Helper()
	settle(t)
	l, err := lab.New(t.Context(), config)
	Check(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// settle waits for the ports of the test before, which are off their bridge and
// being removed, to be gone.
func settle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		left := slices.DeleteFunc(Links(t), func(l netlink.Link) bool {
			return !strings.HasPrefix(l.Attrs().Name, "gpx") || l.Attrs().MasterIndex != 0
		})
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("an earlier test left %s", left[0].Attrs().Name)
		}
	}
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
