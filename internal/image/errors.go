package image

import (
	"errors"
	"fmt"
)

// The kinds of failure that a caller decides on; test with errors.Is. An error
// that is none of these came from the io.ReaderAt.
var (
	// ErrNotFound: no such file, a link to none, or links that lead in circles.
	ErrNotFound = errors.New("no such file in the image")
	// ErrNotRegular: a directory, a device or another thing without contents.
	ErrNotRegular = errors.New("not a regular file")
	// ErrDamaged: the image contradicts itself, or ends too early.
	ErrDamaged = errors.New("damaged image")
	// ErrUnsupported: a file system, or a feature of one, that can't be read.
	ErrUnsupported = errors.New("unsupported image")
)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

// rescue makes an error of a panic: one that a decompressor has on bytes that
// no one thought of must not end the program.
func rescue(err *error) {
	if r := recover(); r != nil {
		*err = damaged("reader panicked: %v", r)
	}
}
