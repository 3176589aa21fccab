package ipxe

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// image is a file that was fetched. Of what is no script only the head is kept:
// the caller fetches what boots.
type image struct {
	name     string
	uri      uri
	args     string // its command line; "" where it has none
	head     []byte
	text     string // of a script
	kind     format
	autofree bool
	posted   bool
	gunzip   bool // it is what the file at uri has packed
	picked   bool // by kernel, and so meant to be one
}

type format string

const (
	isScript    format = "script"
	isKernel    format = "kernel"
	isMultiboot format = "multiboot"
	isEmpty     format = "empty"
	isEFI       format = "efi"
	isHTML      format = "html"
	isOther     format = "other"
	isUnseen    format = "unseen"
)

func (f format) says() string {
	switch f {
	case isEmpty:
		return "is empty"
	case isEFI:
		return "is a program for UEFI, which a guest without firmware can't run"
	case isHTML:
		return "is an HTML page"
	case isUnseen:
		return ErrElsewhere.Error()
	case isOther:
		return "is neither a script nor a kernel; a boot program can't run in a guest without firmware"
	}
	return "is a " + string(f)
}

// formatOf recognises an image as iPXE does (image_probe), by its head.
func formatOf(head []byte) format {
	at := func(offset int, magic string) bool {
		return len(head) >= offset+len(magic) && string(head[offset:offset+len(magic)]) == magic
	}
	trimmed := strings.ToLower(string(bytes.TrimSpace(head[:min(len(head), 256)])))
	switch {
	case len(head) == 0:
		return isEmpty
	case IsScript(head):
		return isScript
	case at(0x202, "HdrS"), at(0x38, "ARM\x64"):
		return isKernel
	case hasMultiboot(head):
		return isMultiboot
	case at(0, "\x7fELF"):
		return isKernel
	case at(0, "MZ"):
		return isEFI
	case strings.HasPrefix(trimmed, "<!doctype html"), strings.HasPrefix(trimmed, "<html"):
		return isHTML
	}
	return isOther
}

// hasMultiboot looks for a Multiboot header (Multiboot specification 0.6.96, §3.1).
func hasMultiboot(head []byte) bool {
	for i := 0; i+12 <= len(head); i += 4 {
		magic, flags, sum := binary.LittleEndian.Uint32(head[i:]), binary.LittleEndian.Uint32(head[i+4:]), binary.LittleEndian.Uint32(head[i+8:])
		if magic == 0x1badb002 && magic+flags+sum == 0 {
			return true
		}
	}
	return false
}

// fetch asks for a file and puts it at the end of the images.
func (r *runner) fetch(ctx context.Context, u uri) (*image, error) {
	if r.requests++; r.requests > maxRequests {
		return nil, r.end(tooMuch("more than %d files", maxRequests))
	}
	i := &image{name: u.name(), uri: u}
	content, err := r.open(ctx, u, i)
	if errors.Is(err, ErrElsewhere) {
		i.kind = isUnseen
		r.images = append(r.images, i)
		return i, nil
	}
	if err != nil {
		r.waited = false
		return nil, err
	}
	defer content.Close()
	if moved, ok := content.(interface{ URL() string }); ok && moved.URL() != "" {
		i.uri = parseURI(moved.URL())
	}
	all, err := ReadHead(content)
	if err != nil {
		return nil, err
	}
	i.head = slices.Clone(all[:min(len(all), HeadSize)])
	if i.kind = formatOf(i.head); i.kind == isScript {
		i.text = string(all)
	}
	r.images = append(r.images, i)
	return i, nil
}

// unpackHead is the beginning of what a file has packed by gzip.
func unpackHead(head []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return nil, err
	}
	unpacked, _ := io.ReadAll(io.LimitReader(z, HeadSize)) // which is cut off
	return unpacked, nil
}

// ReadHead reads what a script's run needs of a file: all of a script, and the
// first HeadSize bytes of anything else.
func ReadHead(r io.Reader) ([]byte, error) {
	head := make([]byte, HeadSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = slices.Clip(head[:n])
	if !IsScript(head) {
		return head, nil
	}
	rest, err := io.ReadAll(io.LimitReader(r, maxScript+1-int64(n)))
	if n+len(rest) > maxScript {
		return nil, tooMuch("a script of more than %d bytes", maxScript)
	}
	return append(head, rest...), err
}

// open asks for a file, by POST where the URI names a list of parameters (core/uri.c,
// "#params").
func (r *runner) open(ctx context.Context, u uri, i *image) (io.ReadCloser, error) {
	switch u.scheme {
	case "tftp", "http", "https":
	case "file", "":
		return nil, failed("%q is no file of a server", u.String())
	default:
		return nil, failed("%s: URIs are not supported, only tftp:, http: and https:", u.scheme)
	}
	if list, ok := strings.CutPrefix(u.fragment, "#params"); ok && u.scheme != "tftp" {
		list = strings.TrimPrefix(list, "=")
		if form, ok := r.forms[list]; ok {
			delete(r.forms, list)
			if r.env.Post == nil {
				return nil, failed("the form of its params is not sent here")
			}
			i.posted = true
			return r.env.Post(ctx, u.url(), strings.Join(form, "&"))
		}
	}
	return r.env.Open(ctx, u.url())
}

// find is the first image of a name; nil where there is none.
func (r *runner) find(name string) *image {
	if i := slices.IndexFunc(r.images, func(i *image) bool { return i.name == name }); i >= 0 {
		return r.images[i]
	}
	return nil
}

// acquire is the image of that name, or else what is fetched from there (imgacquire).
func (r *runner) acquire(ctx context.Context, name string) (*image, error) {
	if i := r.find(name); i != nil {
		return i, nil
	}
	return r.fetch(ctx, r.cwuri().resolve(name))
}

func (r *runner) unregister(i *image) {
	r.images = slices.DeleteFunc(r.images, func(j *image) bool { return i == j })
	if r.selected == i {
		r.selected = nil
	}
}

// choose makes an image the one that boots (image_select). What is no program
// of the kinds that iPXE knows still is one to a BIOS: a PXE NBP.
func (r *runner) choose(i *image) error {
	r.selected = nil
	if i.kind == isEmpty || i.kind == isEFI {
		return failed("%s %s", i.name, i.kind.says())
	}
	r.selected = i
	return nil
}

// cannot names programs that begin as a Linux kernel does and are none.
var cannot = []string{"wimboot", "memdisk", "grub.exe", "ipxe.lkrn", "gpxe.lkrn"}

// execute runs an image (image_exec): a script, or what the guest boots.
func (r *runner) execute(ctx context.Context, i *image) error {
	if err := r.choose(i); err != nil {
		return err
	}
	if r.demands {
		if err := r.trusted(i); err != nil {
			return err
		}
	}
	if i.autofree {
		defer r.unregister(i)
	}
	if i.kind == isScript {
		return r.run(ctx, i)
	}
	switch {
	case i.kind == isUnseen && i.picked:
		r.warn("%s %s: it is taken for a Linux kernel", i.uri.url(), i.kind.says())
	case i.kind != isKernel && i.kind != isMultiboot:
		return failed("%s %s", i.name, i.kind.says())
	}
	if slices.Contains(cannot, strings.ToLower(path.Base(i.uri.path))) {
		return failed("%s can't run in a guest without firmware", path.Base(i.uri.path))
	}
	b := r.result
	b.Kernel, b.KernelGunzip, b.Args, b.Outcome = i.uri.url(), i.gunzip, i.args, Linux
	files := []*image{i}
	for _, other := range r.images {
		if other != i {
			files = append(files, other)
		}
	}
	for n, f := range files {
		if f.gunzip && i.kind == isMultiboot {
			return failed("%s is unpacked, which no module can be", f.name)
		}
		if f.posted {
			return failed("%s was asked for with params, which can't be done again", f.name)
		}
		file := File{URL: f.uri.url(), Gunzip: f.gunzip}
		if i.kind == isMultiboot {
			file.Args = strings.TrimSuffix(f.uri.String()+" "+f.args, " ")
			b.Modules, b.Outcome = append(b.Modules, file), Multiboot
			continue
		}
		if n == 0 {
			continue
		}
		if f.kind == isScript {
			r.warn("%s is a script that has returned: it is an initrd of %s, as by iPXE; imgfree before kernel, or chain --autofree", f.name, i.name)
		}
		if f.args != "" {
			file.Path, _, _ = strings.Cut(f.args, " ")
			file.Mode, file.Parents = cpioMode(f.args), cpioParents(f.args)
		}
		b.Initrds = append(b.Initrds, file)
	}
	r.booted = true
	return nil
}

// cpioParents is how many directories arguments ask for (core/cpio.c, cpio_max).
func cpioParents(args string) int32 {
	for word := range strings.FieldsSeq(args) {
		if number, ok := strings.CutPrefix(word, "mkdir="); ok {
			n, _ := integer(number)
			return n
		}
	}
	return 0
}

// cpioMode is the mode that arguments say, in octal (core/cpio.c).
func cpioMode(args string) uint32 {
	const regular, usual = 0o100000, 0o644
	_, after, ok := strings.Cut(args, "mode=")
	if !ok {
		return regular | usual
	}
	var mode uint32
	for _, c := range after {
		if c < '0' || c > '7' {
			break
		}
		mode = mode<<3 | uint32(c-'0')
	}
	return regular | mode
}
