package ipxe

import (
	"errors"
	"fmt"
)

// Version is the iPXE that scripts are told they run on.
const Version = "1.21.1"

// Limits on what scripts may do. The largest that people write have a few
// thousand lines, and 200 menu items.
const (
	maxScript   = 1 << 20   // bytes of one script
	maxDepth    = 16        // scripts that run each other
	maxRequests = 1000      // files that are asked for
	maxWord     = 64 << 10  // bytes of one word
	maxSettings = 4 << 20   // bytes of all settings
	maxWork     = 256 << 20 // bytes looked at while words are expanded, and a step for each command and value
	step        = 1 << 10   // bytes
	maxItems    = 10000     // of menus and of parameter lists
	HeadSize    = 8 << 10   // what is read of an image to see what it is: Multiboot looks as far
)

// ErrTooMuch says that a script goes beyond a limit. Nothing follows it.
var ErrTooMuch = errors.New("the script does too much")

func tooMuch(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrTooMuch}, args...)...)
}

// failed is a command's failure.
func failed(format string, args ...any) error { return fmt.Errorf(format, args...) }
