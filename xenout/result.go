package xenout

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// Result is what boots. The toolstack deletes both files after it has read
// them, so they have to be copies made for it.
type Result struct {
	Kernel  string // absolute path
	Ramdisk string // absolute path; "" for none
	Args    string // the guest's whole command line, one line
	VM      string // the VM's uuid, which XE alone has to be told
}

// Format is a way to write a Result.
type Format string

// The formats. The first three are what toolstacks read, the others are for
// HVM direct kernel boot and for scripts that fetch before they create.
const (
	SXP     Format = "sxp"     // xend's S-expressions
	Simple  Format = "simple"  // XAPI: a line for each value
	Simple0 Format = "simple0" // libxl: a NUL after each value
	XL      Format = "xl"      // lines of an xl.cfg: kernel, ramdisk, cmdline
	Libvirt Format = "libvirt" // an <os> element
	JSON    Format = "json"    // {"kernel":"","ramdisk":"","args":""}
	Shell   Format = "shell"   // KERNEL, RAMDISK and ARGS, for eval
	XE      Format = "xe"      // a command that makes XAPI boot this without a bootloader
)

// Direct says whether a format is for direct kernel boot, which HVM guests have,
// too.
func (f Format) Direct() bool { return f == XL || f == Libvirt || f == JSON || f == Shell }

// writers holds each format's writer, which may rely on Result.check.
var writers = map[Format]func(Result) ([]byte, error){
	SXP:     sxp,
	Simple:  simple,
	Simple0: simple0,
	XL:      xl,
	Libvirt: libvirt,
	JSON:    jsonObject,
	Shell:   shell,
	XE:      xe,
}

// ParseFormat reads the value of --output-format.
func ParseFormat(name string) (Format, error) {
	if _, ok := writers[Format(name)]; !ok {
		return "", fmt.Errorf("unknown output format %q: it is one of sxp, simple, simple0, xl, libvirt, json, shell, xe", name)
	}
	return Format(name), nil
}

// A ValueError says that a value cannot go into an answer.
type ValueError struct {
	Format  Format
	Field   string // kernel, ramdisk, args or vm
	Problem string
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s output: %s %s", e.Format, e.Field, e.Problem)
}

// Write writes the whole answer with one call of w.Write, since a toolstack
// may read from a FIFO. Nothing is written when a value is refused with a
// *ValueError: an empty kernel, a path that is not absolute or not clean, a
// NUL, CR or LF anywhere (each ends an item for one of the readers, and a
// command line is one line), and what the one format cannot carry.
func Write(w io.Writer, f Format, r Result) error {
	write, ok := writers[f]
	if !ok {
		_, err := ParseFormat(string(f))
		return err
	}
	if err := r.check(f); err != nil {
		return err
	}
	answer, err := write(r)
	if err != nil {
		return err
	}
	if _, err := w.Write(answer); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// check refuses what no format may carry.
func (r Result) check(f Format) error {
	if r.Kernel == "" {
		// libxl takes an answer without a kernel for success and then, for
		// a PVH guest, ends in an assertion (libxl__domain_firmware).
		return &ValueError{f, "kernel", "is empty"}
	}
	for _, v := range r.values() {
		if strings.ContainsAny(v.text, "\x00\r\n") {
			return &ValueError{f, v.field, "holds a NUL, CR or LF byte"}
		}
		if v.field != "args" && (v.text[0] != '/' || path.Clean(v.text) != v.text) {
			return &ValueError{f, v.field, fmt.Sprintf("%q is not an absolute, clean path", v.text)}
		}
	}
	return nil
}

// value is one part of a Result under the name pygrub gives it.
type value struct{ field, text string }

// values lists what is not empty. Readers take an absent item for an empty
// one, but libxl warns of "args" with nothing behind it.
func (r Result) values() []value {
	values := []value{{"kernel", r.Kernel}}
	if r.Ramdisk != "" {
		values = append(values, value{"ramdisk", r.Ramdisk})
	}
	if r.Args != "" {
		values = append(values, value{"args", r.Args})
	}
	return values
}
