package oracle

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DMI is what the machine's SMBIOS tables say, by the name of the SYSAPPEND
// parameter that PXELINUX makes of it.
var DMI = map[string]string{
	"SYSVENDOR": "Xen", "SYSPRODUCT": "HVM_domU", "SYSVERSION": "4.17", "SYSSERIAL": "S_123", "SYSSKU": "sku", "SYSFAMILY": "fam",
	"MBVENDOR": "Board", "MBPRODUCT": "Plank", "MBVERSION": "1", "MBSERIAL": "B1", "MBASSET": "A1",
	"BIOSVENDOR": "Xen", "BIOSVERSION": "4.17.1", "SYSFF": "1", "CPU": "6PXLS",
}

// smbios are the QEMU options behind DMI.
func smbios(uuid string) []string {
	system := "type=1,manufacturer=Xen,product=HVM  domU,version=4.17,serial= S 123 ,sku=sku,family=fam"
	if uuid != "" {
		system += ",uuid=" + uuid
	}
	return []string{
		"-smbios", "type=0,vendor=Xen,version=4.17.1",
		"-smbios", system,
		"-smbios", "type=2,manufacturer=Board,product=Plank,version=1,serial=B1,asset=A1",
	}
}

// A machine is a running QEMU.
type machine struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies chan message
	reason  chan string   // why it was shut down, once it was
	exited  chan struct{} // closed when QEMU is gone
	dir     string
}

// A message is what QEMU says on its monitor (QMP).
type message struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Reason string `json:"reason"`
	} `json:"data"`
}

// start boots a machine from the network, then from a disk that says so.
func start(ctx context.Context, c *Case, disk, dir string) (*machine, error) {
	args := []string{
		"-accel", "tcg", "-cpu", "qemu64", "-m", "128", "-nodefaults", "-vga", "std", "-display", "none", "-no-reboot",
		"-boot", "order=nc",
		"-netdev", "tap,id=net,ifname=" + tap + ",script=no,downscript=no",
		"-device", "virtio-net-pci,netdev=net,mac=" + c.MAC.String(),
		"-drive", "if=ide,format=raw,file=" + disk,
		"-chardev", "file,id=report,path=" + filepath.Join(dir, "report"),
		"-device", "isa-debugcon,iobase=0xe9,chardev=report",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=1",
		"-qmp", "stdio",
	}
	if len(c.Serial) > 0 {
		args = append(args, "-chardev", "socket,id=serial,server=on,wait=off,path="+serialFile(dir), "-device", "isa-serial,chardev=serial")
	}
	m := &machine{
		cmd:     exec.CommandContext(ctx, "qemu-system-x86_64", append(args, smbios(c.UUID)...)...),
		replies: make(chan message),
		reason:  make(chan string, 1),
		exited:  make(chan struct{}),
		dir:     dir,
	}
	var err error
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.cmd.Stderr = os.Stderr
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go m.listen(out)
	return m, m.monitor("qmp_capabilities", nil)
}

// listen reads the monitor until QEMU is gone.
func (m *machine) listen(out io.Reader) {
	defer close(m.exited)
	for d := json.NewDecoder(out); ; {
		var msg message
		if d.Decode(&msg) != nil {
			m.cmd.Wait() // its status is the stub's, and says nothing
			return
		}
		switch {
		case msg.Event == "SHUTDOWN":
			m.reason <- msg.Data.Reason
		case msg.Return != nil || msg.Error != nil:
			m.replies <- msg
		}
	}
}

var errExited = errors.New("the machine is gone")

// monitor runs one command of QEMU's monitor.
func (m *machine) monitor(command string, arguments map[string]any) error {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if json.NewEncoder(m.in).Encode(request) != nil {
		return errExited
	}
	select {
	case <-m.exited:
		return errExited
	case msg := <-m.replies:
		if msg.Error != nil {
			return fmt.Errorf("qemu monitor: %s: %s", command, msg.Error.Desc)
		}
		return nil
	}
}

// screen reads the text on the screen out of the video memory: 25 lines of
// 80 characters, each with an attribute byte.
func (m *machine) screen() ([]string, error) {
	const address, columns, rows = 0xb8000, 80, 25
	file := filepath.Join(m.dir, "screen")
	err := m.monitor("pmemsave", map[string]any{"val": address, "size": columns * rows * 2, "filename": file})
	if err != nil {
		return nil, err
	}
	memory, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var lines []string
	for row := range slices.Chunk(memory, columns*2) {
		line := make([]byte, columns)
		for i := range line {
			if line[i] = row[2*i]; line[i] < ' ' || line[i] > '~' {
				line[i] = ' ' // a frame
			}
		}
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return lines, nil
}

// press types text on the machine's keyboard.
func (m *machine) press(text string) error {
	for _, c := range text {
		var keys []any
		for _, name := range keyNames(c) {
			keys = append(keys, map[string]any{"type": "qcode", "data": name})
		}
		if keys == nil {
			return fmt.Errorf("no key for %q", c)
		}
		if err := m.monitor("send-key", map[string]any{"keys": keys, "hold-time": 20}); err != nil {
			return err
		}
		time.Sleep(60 * time.Millisecond)
	}
	return nil
}

// keyNames returns what to press together for a character, in QEMU's names for
// the keys of an American keyboard.
func keyNames(c rune) []string {
	named := map[rune]string{
		'\r': "ret", '\t': "tab", '\x1b': "esc", ' ': "spc", '-': "minus", '=': "equal", '.': "dot", ',': "comma", '/': "slash", ';': "semicolon",
	}
	shifted := map[rune]string{'_': "minus", '+': "equal", ':': "semicolon"}
	switch {
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return []string{string(c)}
	case c >= 'A' && c <= 'Z':
		return []string{"shift", string(c - 'A' + 'a')}
	case shifted[c] != "":
		return []string{"shift", shifted[c]}
	case named[c] != "":
		return []string{named[c]}
	}
	return nil
}

// report reads what a stub said, if one ran.
func (m *machine) report(a *Answer) error {
	data, err := os.ReadFile(filepath.Join(m.dir, "report"))
	if err != nil || len(data) == 0 {
		return err
	}
	r := &reader{data: data[1:]}
	switch data[0] {
	case 'B':
		a.Outcome, a.Program = Chain, string(data[min(2, len(data)):])
		if a.Program == diskName {
			a.Outcome, a.Program = Disk, ""
		}
	case 'L':
		a.Outcome, a.Args = Linux, Text(r.bytes())
		size := r.number()
		if content := r.content(size); size > 0 {
			a.Ramdisk = content
		}
	case 'M':
		a.Outcome, a.Args = Multiboot, Text(r.bytes())
		for range r.number() {
			args, size := Text(r.bytes()), r.number()
			a.Modules = append(a.Modules, Module{Args: args, Content: *r.content(size)})
		}
	default:
		return fmt.Errorf("bad report %q", data)
	}
	if r.short {
		return fmt.Errorf("short report %q", data)
	}
	return nil
}

// A reader takes a stub's report apart.
type reader struct {
	data  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.data) {
		r.short = true
		return make([]byte, min(n, 4))
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) number() int {
	return int(binary.LittleEndian.Uint32(r.take(4)))
}

func (r *reader) bytes() []byte { return r.take(r.number()) }

func (r *reader) content(size int) *Content {
	return Describe(size, r.bytes())
}

// Head is how much of a ramdisk or module is looked at.
const Head = 64 << 10

// Describe makes a Content of a size and of the first Head bytes.
func Describe(size int, head []byte) *Content {
	c := &Content{Size: size, SHA256: fmt.Sprintf("%x", sha256.Sum256(head))}
	if size <= 64 {
		c.Hex = hex.EncodeToString(head)
	}
	return c
}
