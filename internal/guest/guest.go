// Package guest is being the guest: a child process that stands on the
// guest's bridge with the guest's MAC, and that can do nothing else.
//
// The parent, which the toolstack started as root, makes the network, starts
// the child and trusts nothing that it says. The child opens its raw
// socket, gives up every right (Confine), and only then reads the first byte
// from the network. When either process dies, however it dies, the child is
// gone, and with it its network namespace and its port on the bridge.
package guest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/vishvananda/netlink"
)

// Net says where the child's network is.
type Net string

const (
	// Auto is Own where a new port of the bridge forwards at once; otherwise
	// Dom0.
	Auto Net = "auto"
	// Own is a network namespace of the child's own with a veth into the
	// bridge: what it sends comes from the guest's MAC and address.
	Own Net = "guest"
	// Dom0 is dom0's own namespace: DHCP by raw frames on the bridge itself,
	// downloads through dom0's stack.
	Dom0 Net = "dom0"
	// None is a namespace of the child's own with nothing in it, for who
	// reads dom0's files only. ParseNet does not know it.
	None Net = "none"
)

// ParseNet reads the value of --net; "" is Auto.
func ParseNet(s string) (Net, error) {
	switch n := Net(s); n {
	case "":
		return Auto, nil
	case Auto, Own, Dom0:
		return n, nil
	}
	return "", fmt.Errorf("--net %q: want guest, dom0 or auto", s)
}

// Spec describes the child.
type Spec struct {
	// MAC is the guest's. With None, and with Dom0 when it is nil, there is no
	// bridge: no one acts as the guest.
	MAC    net.HardwareAddr
	Bridge string // "" is xenbr0, or the only bridge there is
	VLAN   uint16 // where the guest is on the bridge, 1 to 4094; 0 for no VLAN
	Net    Net
	RunAs  int // the uid (and gid) that the child becomes; 0 is one that no user has
	// Files are what the child may write, in the order Child.File counts.
	Files []*os.File
	// MaxFile is how large a file the child can make, in bytes; 0 is no limit.
	MaxFile uint64
	// Open, when not nil, opens a file of dom0's that the child asks for, of
	// which it must trust in nothing. It is called by one goroutine at a time,
	// 256 times at most, and should use OpenFlags. What it returns is the
	// child's only if it is a regular file or a block device and opened for
	// reading only.
	Open func(name string) (*os.File, error)
	// Survey, when not nil, is what the child may do to find out why the lab
	// does not boot its guests.
	Survey *Survey
}

// maxAnswers bounds all that the parent reads from one child, in bytes, and so
// the memory that it makes of it. Ten thousand labels are two MiB. A child
// keeps lastAnswer of it for its last message.
const (
	maxAnswers = 4 << 20
	lastAnswer = 64 << 10
)

// maxValues bounds what is in them: an object counts 4, a list and what is in one
// 1. Two bytes, as of "0,", are a struct of 200 bytes in a list of those, whatever
// json thinks of them. An object may have pointers to several. A child keeps
// lastValues of it.
const (
	maxValues   = 256 << 10
	lastValues  = 16 << 10
	objectCount = 4
)

// values counts those of JSON that comes in parts.
type values struct {
	count         int
	open          []byte // the brackets
	text, escaped bool   // it is in a string, behind a backslash there
}

func (v *values) add(p []byte) {
	for _, c := range p {
		switch {
		case v.escaped:
			v.escaped = false
		case v.text:
			v.escaped, v.text = c == '\\', c != '"'
		case c == '"':
			v.text = true
		case c == '{':
			v.open = append(v.open, c)
			v.count += objectCount
		case c == '[':
			v.open = append(v.open, c)
			v.count++
		case (c == '}' || c == ']') && len(v.open) > 0:
			v.open = v.open[:len(v.open)-1]
		case c == ',' && len(v.open) > 0 && v.open[len(v.open)-1] == '[':
			v.count++
		}
	}
}

// fewValues is JSON of so many values at most.
type fewValues struct {
	values
	r    io.Reader
	most int
}

func (f *fewValues) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.add(p[:n]); f.count > f.most {
		return 0, errors.New("it has too much to say")
	}
	return n, err
}

// ErrTooLarge is the error of a message that the parent would not read.
var ErrTooLarge = fmt.Errorf("too large: the parent reads %d MiB of answers", maxAnswers>>20)

// Guest is the parent's end of a running child.
type Guest struct {
	Net    Net    // Own or Dom0
	Why    string // the reason, where Auto chose
	Seen   string // with Own, the port behind which the bridge knows the MAC; "" for none
	Bridge string
	VLAN   uint16 // also when it was in the bridge's name

	cmd     *exec.Cmd
	lock    *lock // nil for none
	port    *port
	relays  []*relay
	sending sync.Mutex
	send    *json.Encoder
	receive *json.Decoder
	pipes   []io.Closer
	stderr  firstBytes
	exited  chan struct{}
	status  error
}

// setup is the first message to the child.
type setup struct {
	Interface string
	OwnNet    bool
	RunAs     int
	MaxFile   uint64
	Opener    int                 // the descriptor of the socket to ask for files on; 0 for none
	Relays    map[string]relayEnd // of dom0's bridge
}

// Start plugs a child into the bridge and starts it. The child runs the same
// program, which has to call Inside when IsChild says so. Cancelling the
// context kills it.
func Start(ctx context.Context, spec Spec) (_ *Guest, err error) {
	if spec.RunAs < 0 || int64(spec.RunAs) >= 1<<32-1 {
		return nil, fmt.Errorf("the guest's process can't run as uid %d", spec.RunAs)
	}
	if err := enoughDescriptors(); err != nil {
		return nil, err
	}
	g := &Guest{Net: spec.Net, exited: make(chan struct{})}
	defer func() {
		if err != nil {
			g.stopRelays()
			g.lock.release()
		}
	}()
	bridge := &bridge{}
	if spec.Net != None && (spec.Net != Dom0 || spec.MAC != nil) {
		if bridge, err = g.choose(ctx, spec); err != nil {
			return nil, err
		}
	}
	first := setup{Interface: bridge.name, RunAs: spec.RunAs, MaxFile: spec.MaxFile}
	files := spec.Files
	if spec.Open != nil {
		ours, theirs, err := socketPair("opener")
		if err != nil {
			return nil, err
		}
		defer theirs.Close()
		go serveFiles(ours, spec.Open) // until the child's end is closed
		files = append(slices.Clip(files), theirs)
		first.Opener = filesFD + len(spec.Files)
	}
	if g.Net == Dom0 && bridge.name != "" || g.Net == Own && spec.Survey != nil && bridge.linux {
		ends, theirs, err := g.openRelays(bridge, spec)
		for key, end := range ends {
			end.FD += filesFD + len(files)
			ends[key] = end
		}
		for _, f := range theirs {
			defer f.Close()
		}
		if err != nil {
			return nil, err
		}
		first.Relays, files = ends, append(slices.Clip(files), theirs...)
	}
	if err := g.start(ctx, files); err != nil {
		return nil, err
	}
	first.RunAs = cmp.Or(first.RunAs, uidBase+g.cmd.Process.Pid)
	if g.Net == Own {
		if g.port, err = bridge.addPort(ctx, g.cmd.Process.Pid, spec.MAC); err != nil {
			g.Close()
			return nil, err
		}
		first.Interface, first.OwnNet = g.port.eth0.Attrs().Name, true
	}
	if err := g.Send(first); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// choose finds the bridge, and where the child is to be.
func (g *Guest) choose(ctx context.Context, spec Spec) (*bridge, error) {
	bridge, err := findBridge(spec.Bridge, spec.VLAN)
	if err != nil {
		return nil, err
	}
	if !bridge.up {
		return nil, &DownError{bridge.name}
	}
	g.Bridge, g.VLAN = bridge.name, bridge.vlan
	if g.lock, err = lockGuest(ctx, spec.MAC, bridge.name, bridge.vlan); err != nil {
		return nil, err
	}
	if g.Net != Dom0 && !bridge.linux {
		bridge.ovs = newOpenVSwitch()
		if err = bridge.ovs.check(ctx, bridge.name); err == nil {
			if err := bridge.ovs.allows(ctx, bridge.name, bridge.vlan); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case err != nil && g.Net == Own:
		return nil, fmt.Errorf("%s is no bridge of Linux but %q (%w): use --net dom0", bridge.name, bridge.kind, err)
	case err != nil:
		g.Net, g.Why = Dom0, fmt.Sprintf("%s is no Linux bridge but %q (%v)", bridge.name, bridge.kind, err)
	case g.Net == Auto:
		g.Net, g.Why = bridge.choose()
	}
	if g.Net == Own && bridge.linux {
		g.Seen = bridge.livePortOf(ctx, spec.MAC)
	}
	return bridge, nil
}

// start runs the child. Pdeathsig is tied to the thread that forks, not to
// the process (prctl(2)), so one goroutine keeps that thread until the end.
func (g *Guest) start(ctx context.Context, files []*os.File) error {
	fromParent, toChild, err := os.Pipe()
	if err != nil {
		return err
	}
	fromChild, toParent, err := os.Pipe()
	if err != nil {
		fromParent.Close()
		toChild.Close()
		return err
	}
	g.pipes = []io.Closer{toChild, fromChild}
	g.send = json.NewEncoder(toChild)
	g.receive = json.NewDecoder(&fewValues{r: io.LimitReader(fromChild, maxAnswers), most: maxValues})

	g.cmd = exec.CommandContext(ctx, "/proc/self/exe")
	g.cmd.Args = []string{childName}
	// Go would keep cgroup files of the host's open, for a number of threads
	// that Inside sets.
	g.cmd.Env = []string{"GODEBUG=containermaxprocs=0,updatemaxprocs=0"}
	g.cmd.Dir = "/"
	g.cmd.Stderr = &g.stderr
	g.cmd.WaitDelay = time.Second
	g.cmd.ExtraFiles = append([]*os.File{fromParent, toParent}, files...)
	// A group of its own: what the terminal sends to us is not for the child.
	// In a pid namespace of its own all that the child could start ends with
	// it, and Wait returns after that (pid_namespaces(7)).
	g.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL, Setpgid: true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNS,
	}
	if g.Net != Dom0 {
		g.cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := g.cmd.Start()
		started <- err
		if err == nil {
			g.status = g.cmd.Wait()
			close(g.exited)
		}
	}()
	err = <-started
	fromParent.Close()
	toParent.Close()
	if err != nil {
		toChild.Close()
		fromChild.Close()
		if errors.Is(err, syscall.EPERM) {
			return errors.New("not enough privileges to make namespaces: run as root")
		}
		return fmt.Errorf("start the guest's process: %w", err)
	}
	return nil
}

// Send gives the child a message.
func (g *Guest) Send(message any) error {
	g.sending.Lock()
	err := g.send.Encode(toText(message))
	g.sending.Unlock()
	if err != nil {
		return g.died(err)
	}
	return nil
}

// Receive takes the child's next message. The error of a child that died
// says with which last words.
func (g *Guest) Receive(message any) error {
	if err := g.receive.Decode(message); err != nil {
		return g.died(err)
	}
	fromText(message)
	return nil
}

// died turns a broken pipe into the reason why it broke.
func (g *Guest) died(err error) error {
	g.cmd.Process.Kill() // it speaks nonsense, or is gone already
	<-g.exited
	if words := g.stderr.String(); words != "" {
		return fmt.Errorf("the guest's process failed: %s", words)
	}
	return fmt.Errorf("the guest's process ended (%v): %w", g.status, err)
}

// Configure gives the child's interface the leased address and the route
// through the router, so that the kernel speaks for it. A *RouterError says
// that only the route is missing. The interface gets the leased MTU where that is
// one for IPv4 and the bridge has no smaller one; 0 is none. It does nothing with
// Net Dom0, whose addresses are dom0's business.
func (g *Guest) Configure(address netip.Prefix, router netip.Addr, mtu int) error {
	if g.port == nil {
		return nil
	}
	return g.port.configure(address, router, mtu)
}

// Port is the interface index of the child's port on the bridge, 0 where it has
// none. A name, made of a pid, could be another guest's one day.
func (g *Guest) Port() int {
	if g.port == nil {
		return 0
	}
	return g.port.host.Attrs().Index
}

// Remove removes the Port of a Guest that has ended. It is no error if the
// kernel did so before.
func Remove(port int) error {
	link, err := netlink.LinkByIndex(port)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if gone(err) {
		return nil
	}
	return err
}

// Close ends the child, if it still runs, and unplugs it.
func (g *Guest) Close() error { return g.end(false) }

// Leave is Close for who has somebody else to call Remove: the port is off the
// bridge, but may still be there.
func (g *Guest) Leave() error { return g.end(true) }

func (g *Guest) end(leave bool) error {
	g.cmd.Process.Kill()
	<-g.exited
	for _, p := range g.pipes {
		p.Close()
	}
	g.stopRelays()
	defer g.lock.release()
	if g.port != nil {
		return g.port.remove(leave)
	}
	return nil
}

func (g *Guest) stopRelays() {
	for _, r := range g.relays {
		r.stop()
	}
}

// firstBytes keeps the first bytes of what a crashing child prints: a Go panic says
// what happened in its first line.
type firstBytes struct {
	mu   sync.Mutex
	text []byte
}

func (t *firstBytes) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4096 - len(t.text); room > 0 {
		t.text = append(t.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (t *firstBytes) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, _, _ := strings.Cut(strings.TrimSpace(string(t.text)), "\n")
	return printable.Text(line)
}
