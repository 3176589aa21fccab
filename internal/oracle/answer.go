package oracle

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Answer is what the real PXELINUX did.
type Answer struct {
	// Requests are the files that were asked for after the boot file, in
	// order. Where PXELINUX did the same again and again, they are those of
	// the first time round, and what came of the Enter key.
	Requests []Request `json:"requests"`

	// Waits says that PXELINUX sat waiting for a user, or went round for
	// ever. Screen is what it showed when it waited, and the rest of the answer is what came of the case's
	// keys, or of the Enter key. Later counts the requests made after them.
	Waits  bool     `json:"waits,omitempty"`
	Screen []string `json:"screen,omitempty"`
	Later  int      `json:"later,omitempty"`

	Outcome Outcome  `json:"outcome"`
	Program string   `json:"program,omitempty"` // Chain: the name of the file that runs
	Args    string   `json:"args,omitempty"`    // Linux, Multiboot: the kernel's command line
	Ramdisk *Content `json:"ramdisk,omitempty"` // Linux: what the loader put into memory
	Modules []Module `json:"modules,omitempty"` // Multiboot: what follows the kernel
}

// Outcome is what a machine came to.
type Outcome string

// What the machine can come to.
const (
	Linux     Outcome = "linux"     // a Linux kernel runs
	Multiboot Outcome = "multiboot" // a Multiboot kernel runs
	Chain     Outcome = "chain"     // a boot sector or another network boot program runs
	Disk      Outcome = "disk"      // the machine's disk boots
	Reset     Outcome = "reset"     // the machine restarted
	PowerOff  Outcome = "poweroff"  // the machine turned itself off
	Prompt    Outcome = "prompt"    // it still sits at boot:
	Circles   Outcome = "circles"   // it does the same again and again
	Stuck     Outcome = "stuck"     // it still sits somewhere else, such as a menu
)

// A Request is one file that was asked for. As text, and so in JSON, it is the
// result and the file: "absent pxelinux.cfg/C".
type Request struct {
	Result string // Found, Absent, Empty or Moved
	File   string // as sent: TFTP's file name, HOST::NAME if HOST is not next-server, or an http or ftp URL
}

// What a server can answer.
const (
	Found  = "found"
	Absent = "absent"
	Empty  = "empty" // found, and of size 0, which PXELINUX takes for absent
	Moved  = "moved" // an HTTP redirect
)

// MarshalText implements encoding.TextMarshaler.
func (r Request) MarshalText() ([]byte, error) {
	return []byte(r.Result + " " + r.File), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Request) UnmarshalText(text []byte) error {
	var ok bool
	if r.Result, r.File, ok = strings.Cut(string(text), " "); !ok {
		return fmt.Errorf("request %q: want a result and a file", text)
	}
	return nil
}

// Text is an argument line as an Answer has it: itself if it is UTF-8, so that
// it survives JSON, and otherwise with Go's escapes between quotes.
func Text(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	return strconv.QuoteToASCII(string(line))
}

// Content describes bytes in memory.
type Content struct {
	Size   int    `json:"size"`
	SHA256 string `json:"sha256"`        // of the first 64 KiB
	Hex    string `json:"hex,omitempty"` // all of it, when that is at most 64 bytes
}

// A Module is one module of a Multiboot kernel.
type Module struct {
	Args string `json:"args"`
	Content
}
