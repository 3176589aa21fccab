// Package once remembers which guests have booted from the network, so that
// the next time they boot from their disks: --once. An installer that runs
// twice wipes a disk, so a mark that can't be written is an error.
package once

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Dir is where marks are if nothing else is said. A /run would forget them at
// dom0's reboot.
const Dir = "/var/lib/gopxeboot/once"

// A Mark is a file in dir. It is there when its guest has booted.
type Mark struct {
	dir, name string
}

// ByUUID is the mark of a guest whose uuid stays the same: libvirt's and XAPI's.
func ByUUID(dir, uuid string) Mark { return Mark{dir, url.PathEscape(strings.ToLower(uuid))} }

// ByName is the mark of a guest of xl's, which gives it a new uuid at each
// start.
func ByName(dir, name string, mac net.HardwareAddr) Mark {
	return Mark{dir, prefix(name) + mac.String()}
}

// prefix is what the marks of a guest of that name begin with. A name may hold
// anything; no escaped one has a comma.
func prefix(name string) string { return url.PathEscape(name) + "," }

func (m Mark) String() string { return filepath.Join(m.dir, m.name) }

// IsSet says whether the guest has booted. It makes the directory, and sees that
// a mark can be written there: a boot that learns that only at its end is lost.
func (m Mark) IsSet() (bool, error) {
	_, err := os.Lstat(m.String())
	switch {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return false, err
	}
	f, err := os.CreateTemp(m.dir, ".")
	if err != nil {
		return false, err
	}
	f.Close()
	return false, os.Remove(f.Name())
}

// Write makes the mark last, also when the power goes off at once. It fails when
// there is one: another boot of the guest was faster.
func (m Mark) Write() (err error) {
	f, err := os.OpenFile(m.String(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(m.String())
		}
	}()
	_, err = fmt.Fprintf(f, "booted from the network at %s\n", time.Now().Format(time.RFC3339))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(m.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Clear takes the mark back of a boot that failed after all.
func (m Mark) Clear() error { return os.Remove(m.String()) }

// Forget removes the marks of a guest by its name or uuid, and returns their
// files.
func Forget(dir, guest string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var gone []string
	for _, e := range entries {
		if e.Name() != ByUUID(dir, guest).name && !strings.HasPrefix(e.Name(), prefix(guest)) {
			continue
		}
		file := filepath.Join(dir, e.Name())
		if err := os.Remove(file); err != nil {
			return gone, err
		}
		gone = append(gone, file)
	}
	return gone, nil
}
