package oracle

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// A Case is a tree of files and the machine that boots from it.
type Case struct {
	// About says which rule the case shows.
	About string

	MAC      net.HardwareAddr
	IP       netip.Addr        // the leased address; its /24 is the network
	UUID     string            // "" for a machine without one
	BootFile string            // the DHCP file name
	Script   string            // what DHCP names to iPXE, where BootFile is one that the ROM loads
	Options  []string          // further DHCP options, as dnsmasq writes them: 210,/boot/
	Names    map[string]string // what the name server knows; without any, there is no name server

	Modules []string          // what PXELINUX's modules are served under, by prefix
	Moved   map[string]string // HTTP paths that answer with a redirect to this URL
	Files   map[string][]byte // nil for a stub, a program that says how it was started

	Keys    string        // what is typed where PXELINUX waits; Enter is \r
	Serial  []Typed       // what is typed on the serial line instead, one after the other; without any, there is no serial line
	Settle  time.Duration // no packet and no change on the screen for so long is waiting
	Timeout time.Duration // the case fails if it takes longer

	Differences []Difference
}

// A Difference is a point where gopxeboot answers otherwise, on purpose.
type Difference struct {
	Field string // args, initrds, kernel, label, outcome, requests or waits
	Value string // ours
	Why   string
}

// Server is the DHCP and TFTP server, and next-server.
func (c *Case) Server() netip.Addr { return c.host(2) }

// Other is a second server, which has the same files.
func (c *Case) Other() netip.Addr { return c.host(3) }

func (c *Case) host(n byte) netip.Addr {
	a := c.IP.As4()
	a[3] = n
	return netip.AddrFrom4(a)
}

// option is a line of a case's comment that is not prose.
var option = regexp.MustCompile(`^([a-z]+): *(.*)$`)

// ParseCase reads a case from a txtar archive. The files of the archive are
// the tree. Its comment is prose, except for lines of these forms, all of them
// optional:
//
//	mac: 00:16:3e:72:79:e3          the machine's
//	ip: 192.168.1.199               its leased address
//	uuid: 564d1c4f-...              its SMBIOS UUID, as text
//	bootfile: pxelinux.0            the DHCP file name; an http URL for lpxelinux.0; DIR/i386-pc/core.0 for GRUB
//	script: boot.ipxe               what DHCP names to iPXE, where the boot file is Debian's undionly.kpxe
//	option: 210=/boot/              a DHCP option; may be repeated
//	name: files.lab=192.168.1.3     a name for the name server; may be repeated
//	modules: ./ boot/               prefixes of the modules, plainly prepended to their names;
//	                                default: the boot file's directory
//	moved: /a http://192.168.1.2/b  an HTTP redirect; may be repeated
//	escaped: FILE...                these have Go's escapes, such as \r, and no newlines of their own
//	empty: FILE...                  these are no stubs but really empty
//	keys: linux\r                   typed where PXELINUX waits (default \r)
//	serial: TEXT -- \x1b[B\r        typed on the serial line once it shows TEXT, instead of keys; may be repeated
//	settle: 3s                      how long it has to be quiet to count as waiting
//	timeout: 60s                    for all of it
//	differs: FIELD: VALUE -- WHY    what gopxeboot answers instead, and why; may be repeated
func ParseCase(data []byte) (*Case, error) {
	archive := txtar.Parse(data)
	c := &Case{
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		IP:       netip.AddrFrom4([4]byte{192, 168, 1, 199}),
		BootFile: "pxelinux.0",
		Names:    map[string]string{},
		Moved:    map[string]string{},
		Files:    map[string][]byte{},
		Keys:     "\r",
		Settle:   3 * time.Second,
		Timeout:  time.Minute,
	}
	escaped, empty := map[string]bool{}, map[string]bool{}
	var prose []string
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimRight(line, "\r\n")
		m := option.FindStringSubmatch(line)
		if m == nil {
			prose = append(prose, line)
			continue
		}
		if err := c.set(m[1], m[2], escaped, empty); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	c.About = strings.TrimSpace(strings.Join(prose, "\n"))
	if c.Modules == nil {
		c.Modules = []string{directory(c.BootFile)}
	}
	for _, f := range archive.Files {
		if !localName(f.Name) {
			return nil, fmt.Errorf("file %q is outside the tree", f.Name)
		}
		switch {
		case escaped[f.Name]:
			text, err := unescape(string(f.Data))
			if err != nil {
				return nil, fmt.Errorf("file %s: %w", f.Name, err)
			}
			f.Data = []byte(text)
		case len(f.Data) > 0 || empty[f.Name]:
		case stubFor(f.Name) != "":
			f.Data = nil
		}
		c.Files[f.Name] = f.Data
	}
	return c, nil
}

func (c *Case) set(key, value string, escaped, empty map[string]bool) (err error) {
	switch key {
	case "mac":
		c.MAC, err = net.ParseMAC(value)
	case "ip":
		c.IP, err = netip.ParseAddr(value)
		if err == nil && !c.IP.Is4() {
			err = fmt.Errorf("not an IPv4 address")
		}
	case "uuid":
		c.UUID = value
	case "bootfile":
		c.BootFile = value
	case "script":
		c.Script = value
	case "option":
		number, text, ok := strings.Cut(value, "=")
		if !ok {
			return fmt.Errorf("want NUMBER=VALUE")
		}
		c.Options = append(c.Options, number+","+text)
	case "name":
		name, address, ok := strings.Cut(value, "=")
		if !ok {
			return fmt.Errorf("want NAME=ADDRESS")
		}
		c.Names[name] = address
	case "modules":
		c.Modules = strings.Fields(value)
	case "moved":
		from, to, ok := strings.Cut(value, " ")
		if !ok {
			return fmt.Errorf("want PATH URL")
		}
		c.Moved[from] = to
	case "escaped":
		for _, f := range strings.Fields(value) {
			escaped[f] = true
		}
	case "empty":
		for _, f := range strings.Fields(value) {
			empty[f] = true
		}
	case "keys":
		c.Keys, err = strconv.Unquote(`"` + value + `"`)
	case "serial":
		text, keys, ok := strings.Cut(value, " -- ")
		if !ok {
			return fmt.Errorf("want TEXT -- KEYS")
		}
		keys, err = strconv.Unquote(`"` + keys + `"`)
		c.Serial = append(c.Serial, Typed{text, keys})
	case "settle":
		c.Settle, err = time.ParseDuration(value)
	case "timeout":
		c.Timeout, err = time.ParseDuration(value)
	case "differs":
		field, rest, ok1 := strings.Cut(value, ": ")
		answer, why, ok2 := strings.Cut(rest, " -- ")
		if !ok1 || !ok2 {
			return fmt.Errorf("want FIELD: VALUE -- WHY")
		}
		c.Differences = append(c.Differences, Difference{field, answer, why})
	default:
		return fmt.Errorf("unknown option %q", key)
	}
	return err
}

// directory is where the modules have to be for a boot file: beside it, on
// the TFTP and HTTP servers, which have one tree.
func directory(bootfile string) string {
	if _, rest, ok := strings.Cut(bootfile, "://"); ok {
		_, bootfile, _ = strings.Cut(rest, "/")
	}
	dir, _ := path.Split(strings.TrimLeft(bootfile, "/"))
	return dir
}

// localName reports whether name, with "//" for "/" allowed, stays inside the
// directory it is put into.
func localName(name string) bool {
	return name != "" && name == strings.TrimLeft(name, "/") && !strings.Contains("/"+name+"/", "/../")
}

// unescape resolves Go's escapes in each line and joins the lines.
func unescape(text string) (string, error) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimRight(line, "\n"), `"`, `\"`) + `"`)
		if err != nil {
			return "", fmt.Errorf("bad escape in %q", line)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}
