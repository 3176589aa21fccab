// Package conf reads /etc/gopxeboot.conf, where dom0's root writes down options
// by their names: for all guests, and for some in sections. It is TOML:
//
//	timeout = "60s"
//
//	[guest1]
//	once = true
package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"
)

// Name is where the file is if nothing else is said.
const Name = "/etc/gopxeboot.conf"

// maxFile is its largest size in bytes.
const maxFile = 1 << 20

// File is what such a file says. The zero File says nothing.
type File struct {
	options []Option
}

// Option is one option that it says.
type Option struct {
	Section string // a guest's name, its uuid in lower case, or its bridge; "" is all guests
	Name    string
	Values  []string // as a command line has them; several for an array
}

// Read reads a file. It names files and programs that are used as root, so it
// has to be root's: no one else may own it or be able to write it. The zero
// File is returned where there is none, and to whom it does not concern: users who
// may not read it, and who is in a user namespace, as the lab's, and so not this
// host's root. Root, whom only a security module or a network's file system keeps
// from it, gets the error: it may say --key.
func Read(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would block
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) && (os.Geteuid() != 0 || inUserNamespace()) {
		return File{}, nil
	}
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	switch {
	case owner == unmapped && inUserNamespace():
		return File{}, nil
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("%s is no regular file", name)
	case owner != 0 && owner != os.Geteuid(): // whoever runs us may use what is theirs
		return File{}, fmt.Errorf("%s belongs to uid %d: it has to be root's", name, owner)
	case info.Mode().Perm()&0o022 != 0:
		return File{}, fmt.Errorf("%s can be written by others than root: its mode is %v", name, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	var file File
	if err == nil {
		file, err = Parse(string(text))
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// unmapped is the uid that files of a uid without a place in the user namespace
// seem to have (/proc/sys/kernel/overflowuid).
const unmapped = 65534

func inUserNamespace() bool {
	uids, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !slices.Equal(strings.Fields(string(uids)), []string{"0", "0", "4294967295"})
}

// Parse reads such a file's text.
func Parse(text string) (File, error) {
	var tree map[string]any
	meta, err := toml.Decode(text, &tree)
	if e, ok := errors.AsType[toml.ParseError](err); ok {
		err = fmt.Errorf("line %d: %s", e.Position.Line, e.Message)
	}
	if err != nil {
		return File{}, err
	}
	var f File
	for _, key := range meta.Keys() {
		var at any = tree
		for _, word := range key {
			table, _ := at.(map[string]any)
			at = table[word]
		}
		_, table := at.(map[string]any)
		if table && len(key) == 1 {
			continue // a section's beginning
		}
		if section := strings.Join(key[:len(key)-1], "."); table || len(key) > 2 {
			if table {
				section = strings.Join(key, ".")
			}
			return File{}, fmt.Errorf("%s: there are no sections in sections; a name with dots needs quotes: [%q]", key, section)
		}
		values, err := words(at)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", key, err)
		}
		section := strings.Join(key[:len(key)-1], "")
		if uuid.MatchString(section) {
			section = strings.ToLower(section)
		}
		f.options = append(f.options, Option{section, key[len(key)-1], values})
	}
	return f, nil
}

// uuid matches one, which is the same in both cases, as names are not.
var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// words are a value as a command line has it.
func words(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case bool, int64, float64:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		var all []string
		for _, element := range v {
			if _, list := element.([]any); list {
				return nil, errors.New("a list in a list")
			}
			one, err := words(element)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	return nil, errors.New("want a text, a number, true, false, or a list of those")
}

// All are all options, in the file's order.
func (f File) All() []Option { return f.options }

// For are the options for a guest, one of each name: the sections' that are
// given, the first of which counts most, and then those for all guests.
func (f File) For(sections ...string) []Option {
	var chosen []Option
	for _, section := range append(sections, "") {
		for _, o := range f.options {
			if o.Section == section && !slices.ContainsFunc(chosen, func(c Option) bool { return c.Name == o.Name }) {
				chosen = append(chosen, o)
			}
		}
	}
	return chosen
}
