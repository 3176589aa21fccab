package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestMain makes the test binary the guest's process too: one that was taken
// over by the first byte that it read, and does what the request's label says.
func TestMain(m *testing.M) {
	if guest.IsChild() {
		hostileChild()
		os.Exit(0)
	}
	if status, ours := Helper(); ours {
		os.Exit(status)
	}
	labtest.Main(m)
}

// attack is what a hostile child does, and what has to come of it.
type attack struct {
	does func(c *guest.Child)
	code fault.Code
	says string
}

// done is the answer of a child that claims success.
func done(c *guest.Child, boot plan.Boot) { c.Send(message{"Plan": &plan.Plan{Boot: boot}}) }

// message is one of package session's.
type message map[string]any

// failed is the answer of a child that claims to have failed.
func failed(c *guest.Child, code fault.Code, text string) {
	c.Send(message{"Plan": plan.New(), "Failure": message{"Code": code, "Stage": "boot", "Text": text}})
}

// raw writes past the encoder of c, to the same pipe.
func raw(text string) error {
	_, err := os.NewFile(4, "answers").WriteString(text)
	return err
}

func wantsAddress(address, router string) attack {
	return attack{func(c *guest.Child) {
		raw(fmt.Sprintf(`{"Configure":{"Address":%q,"Router":%q}}`, address, router))
		c.Receive(&struct{}{})
		done(c, plan.Boot{})
	}, fault.NoLease, "none that a"}
}

var attacks = map[string]attack{
	// XSA-25: what is handed to dom0 without bound.
	"kernel beyond every limit": {func(c *guest.Child) {
		fill(c.File(0))
		done(c, plan.Boot{Args: "a"})
	}, fault.NotFetched, "kernel: its size is"},
	"initrd beyond its limit": {func(c *guest.Child) {
		c.File(0).WriteString("k")
		fill(c.File(1))
		done(c, plan.Boot{Args: "a", Initrds: []string{"i"}})
	}, fault.Done, ""}, // as large as was allowed, and the guest's own affair
	"kernel that grows": { // to the initrd's limit, which is the process's
		func(c *guest.Child) { fill(c.File(0)); forever() }, fault.NotFetched, "kernel: its size is",
	},
	"the output directory to its last byte": {func(c *guest.Child) {
		c.File(0).Write(make([]byte, 1<<20))
		fill(c.File(1))
		forever()
	}, fault.NoOutput, "no more than the reserve is free"},
	"blocks behind the end": {func(c *guest.Child) {
		unix.Fallocate(int(c.File(0).Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20)
		c.File(0).WriteString("k")
		c.File(1).WriteString("i")
		done(c, plan.Boot{Args: "a", Initrds: []string{"i"}})
	}, fault.Done, ""}, // and they are given back
	"a huge file that is a hole": {func(c *guest.Child) {
		if c.File(0).Truncate(1<<40) == nil {
			done(c, plan.Boot{Args: "a"})
		}
		done(c, plan.Boot{Args: "no hole"})
	}, fault.NotFetched, "kernel: its size is 0 bytes"},
	"an answer of a gigabyte": {func(c *guest.Child) {
		raw(`{"Plan":{"args":"`)
		for block := strings.Repeat("x", 1<<20); raw(block) == nil; {
		}
	}, fault.Own, "the guest's process"},
	"lines without end": {func(*guest.Child) {
		for raw(`{"Line":{"Level":9,"Text":"`+strings.Repeat("x", 1<<20)+`"}}`) == nil {
		}
	}, fault.Own, "the guest's process"},
	"messages without end": {func(c *guest.Child) {
		for c.Send(message{}) == nil {
		}
	}, fault.Own, "the guest's process"},
	"nested without end": {func(c *guest.Child) {
		for raw(strings.Repeat(`{"Plan":[`, 1000)) == nil {
		}
	}, fault.Own, "the guest's process"},

	"menus for no one": {func(c *guest.Child) {
		c.Send(message{"Offer": menu.Offer{Menus: []menu.Menu{{Entries: []menu.Entry{{Kind: menu.Boots}}, Parent: -1}}, Failed: "it does not boot"}})
		forever()
	}, fault.Own, "a user who is not there"},
	"elements without end": {func(c *guest.Child) {
		raw(`{"Plan":{"labels":[]},"Facts":{"Offers":[0` + strings.Repeat(",0", 2<<20-1<<10) + `]}}`)
		forever()
	}, fault.Own, "too much to say"},
	"lists without end": {func(c *guest.Child) {
		raw(`{"Plan":{"labels":[]},"Facts":{"Offers":[{"Values":[[]` + strings.Repeat(",[]", 1<<20) + `]}]}}`)
		forever()
	}, fault.Own, "too much to say"},

	// Time: xl holds a lock for the whole host meanwhile.
	"no answer":          {func(*guest.Child) { forever() }, fault.OutOfTime, "--timeout"},
	"half an answer":     {func(*guest.Child) { raw(`{"Plan":{"args":"`); forever() }, fault.OutOfTime, "--timeout"},
	"no answer any more": {func(*guest.Child) { os.Exit(0) }, fault.Own, "the guest's process ended"},
	"a process that lives on and holds the pipe": {func(*guest.Child) {
		if pid, _, errno := syscall.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0); errno == 0 && pid == 0 {
			timeout := unix.Timespec{Sec: 5}
			for {
				unix.Nanosleep(&timeout, nil)
				unix.Exit(0)
			}
		}
		forever()
	}, fault.OutOfTime, ""},

	// XSA-198: an answer that makes the toolstack read another file.
	"an item in the arguments": {func(c *guest.Child) {
		c.File(0).WriteString("k")
		done(c, plan.Boot{Args: "a\x00kernel /etc/shadow"})
	}, fault.NoOutput, "NUL"},
	"a line in the arguments": {func(c *guest.Child) {
		c.File(0).WriteString("k")
		done(c, plan.Boot{Args: "a\nramdisk /etc/shadow"})
	}, fault.NoOutput, "LF"},
	"a file of dom0's as the kernel": {func(c *guest.Child) {
		done(c, plan.Boot{Kernel: "/etc/shadow", Args: "a"})
	}, fault.NotFetched, "kernel: its size is 0 bytes"},
	"nonsense": {func(*guest.Child) { raw("\x00\xff{"); forever() }, fault.Own, "the guest's process"},

	// A status that would be success, with no kernel: libxl's assertion.
	"success as a failure": {func(c *guest.Child) {
		failed(c, 256, "x")
	}, fault.Own, "boot: x"},

	// What the parent does for the child, in the child's own network.
	"every address":          wantsAddress("0.0.0.0/0", ""),
	"no network":             wantsAddress("10.0.0.1/0", ""),
	"broadcast":              wantsAddress("255.255.255.255/24", ""),
	"multicast":              wantsAddress("224.0.0.1/24", ""),
	"loopback":               wantsAddress("127.0.0.1/8", ""),
	"IPv6":                   wantsAddress("fe80::1/64", ""),
	"IPv4 in IPv6":           wantsAddress("::ffff:10.0.0.1/120", ""),
	"no address":             wantsAddress("", ""),
	"router 0.0.0.0":         wantsAddress("10.0.0.1/24", "0.0.0.0"),
	"router 255.255.255.255": wantsAddress("10.0.0.1/24", "255.255.255.255"),
	"router multicast":       wantsAddress("10.0.0.1/24", "239.1.2.3"),
	"router with a zone":     wantsAddress("10.0.0.1/24", "fe80::1%xenbr0"),
	"addresses without end": {func(c *guest.Child) {
		for {
			c.Send(message{"Configure": message{"Address": "10.0.0.1/24"}})
		}
	}, fault.NoLease, "a second address"},
	"names resolved by dom0": {func(c *guest.Child) {
		c.Send(message{"Resolve": "secret.in.a.name.invalid"})
		c.Receive(&struct{}{})
	}, fault.Own, "a message that says nothing"},
	"an address that is none": {func(*guest.Child) { raw(`{"Configure":{"Address":"10.0.0.300/99"}}`); forever() }, fault.Own, "the guest's process"},

	// XSA-443: rights. What is not allowed fails here as it does in TestConfined
	// of package guest, and its result is an answer.
	"files of dom0 by its parent": {func(c *guest.Child) {
		if _, err := c.Open("/etc/passwd"); err == nil {
			done(c, plan.Boot{Args: "allowed"})
		}
		failed(c, fault.NotBootable, "nothing is allowed")
	}, fault.NotBootable, "nothing is allowed"},
	"files of dom0": {func(c *guest.Child) {
		_, readErr := os.ReadFile("/etc/passwd")
		writeErr := os.WriteFile("/var/tmp/gopxeboot-hostile", nil, 0o666)
		linkErr := os.Link("/proc/self/fd/5", "/var/tmp/gopxeboot-hostile")
		_, memErr := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
		if readErr == nil || writeErr == nil || linkErr == nil || memErr == nil {
			done(c, plan.Boot{Args: fmt.Sprint("allowed: ", readErr, writeErr, linkErr, memErr)})
		}
		failed(c, fault.NotBootable, "nothing is allowed")
	}, fault.NotBootable, "nothing is allowed"},
}

// hostileChild gives up its rights as the real one does, and then attacks.
func hostileChild() {
	c, err := guest.Inside()
	if err != nil {
		return
	}
	var t tasks
	if err := errors.Join(c.Receive(&struct{}{}), c.Receive(&t)); err != nil {
		return
	}
	if err := c.Confine(); err != nil {
		failed(c, fault.Own, err.Error())
		return
	}
	if t.Install != nil {
		for c.Send(message{"Resolve": "127.0.0.1"}) == nil && c.Receive(&struct{}{}) == nil {
		}
		return
	}
	if t.Get != nil {
		_, err := unix.FcntlInt(c.File(0).Fd(), unix.F_SETFL, unix.O_NONBLOCK|unix.O_APPEND)
		failed(c, fault.NotBootable, fmt.Sprint(err))
		return
	}
	attacks[t.Boot.Plan.Wanted.Label].does(c)
	runtime.KeepAlive(c) // whose pipe raw writes to
}

// fill writes until it is stopped.
func fill(f *os.File) {
	for block := make([]byte, 1<<16); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

// Whatever a child does that was taken over: the boot fails in time, with an
// exit status that is no success, nothing reaches the toolstack, and nothing
// is left.
func TestHostileChildren(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			labtest.New(t, lab.Config{})
			before := network(t)
			dir := labtest.Tmpfs(t, "3M")
			file := filepath.Join(t.TempDir(), "bootloader.7.out")
			out, err := handover.OpenOutput(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			timeout := 10 * time.Second
			if attack.code == fault.OutOfTime {
				timeout = 300 * time.Millisecond
			}
			begin := time.Now()
			var memory, memoryAfter runtime.MemStats
			runtime.ReadMemStats(&memory)
			result, err := Boot(t.Context(), Options{
				Network: session.Network{MAC: mac, Bridge: "xenbr0", Net: guest.Own}, Wanted: program.Wanted{Label: name}, Timeout: timeout,
				Spec: handover.Spec{OutputDirectory: dir, Format: xenout.Simple0, MaxKernel: 1 << 20, MaxInitrd: 2 << 20},
			}, out, quiet())
			runtime.ReadMemStats(&memoryAfter)
			if fault.CodeOf(err) != attack.code || !strings.Contains(fmt.Sprint(err), attack.says) {
				t.Errorf("got code %d: %.200v", fault.CodeOf(err), err)
			}
			if took := time.Since(begin); took > timeout+20*time.Second { // else it would take until the test is killed
				t.Errorf("it took %v", took)
			}
			if grown := memoryAfter.HeapSys - memory.HeapSys; memoryAfter.HeapSys > memory.HeapSys && grown > 512<<20 {
				t.Errorf("the parent's memory grew by %d MiB", grown>>20)
			}
			if attack.code == fault.Done {
				for name, limit := range map[string]int64{result.Kernel: 1 << 20, result.Ramdisk: 2 << 20} {
					info, err := os.Stat(name)
					if err != nil || info.Size() > limit {
						t.Fatalf("%s: %v %v", name, info, err)
					}
					if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; taken > info.Size()+64<<10 {
						t.Errorf("%s has %d bytes, and %d on disk", name, info.Size(), taken)
					}
				}
				return
			}
			if text, err := os.ReadFile(file); err != nil || len(text) > 0 {
				t.Errorf("the toolstack was told %q (%v)", text, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left %v (%v)", left, err)
			}
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				if after := network(t); after == before {
					break
				} else if time.Now().After(deadline) {
					t.Errorf("dom0's network was\n%s\nand is\n%s", before, after)
					break
				}
			}
		})
	}
}

// Dom0 resolves names for a child that downloads as dom0, as many as a boot has.
func TestHostileNames(t *testing.T) {
	labtest.New(t, lab.Config{})
	repository, err := install.NewRepository("http://192.0.2.1/", install.Wanted{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Boot(t.Context(), Options{
		Network: session.Network{Net: guest.Dom0}, Repository: repository, Timeout: 3 * time.Second,
		Spec: handover.Spec{OutputDirectory: t.TempDir(), Format: xenout.Simple0, MaxKernel: 1, MaxInitrd: 1},
	}, &handover.Output{File: os.Stdout}, quiet())
	if fault.CodeOf(err) != fault.Own || !strings.Contains(fmt.Sprint(err), "more than 256 names") {
		t.Errorf("got %v", err)
	}
}

// A menu puts the deadline off for a person who has pressed a key, and for no one
// else: xl holds its lock meanwhile.
func TestHostileMenu(t *testing.T) {
	labtest.New(t, lab.Config{})
	person, terminal := labtest.Terminal(t)
	go io.Copy(io.Discard, person)
	begin := time.Now()
	_, err := Boot(t.Context(), Options{
		Network: session.Network{MAC: mac, Bridge: "xenbr0", Net: guest.Own}, Wanted: program.Wanted{Label: "menus for no one"}, Timeout: time.Second,
		Spec:   handover.Spec{OutputDirectory: t.TempDir(), Format: xenout.Simple0, MaxKernel: 1, MaxInitrd: 1},
		Person: &session.Person{In: terminal, Out: terminal},
	}, &handover.Output{File: os.Stdout}, quiet())
	if took := time.Since(begin); fault.CodeOf(err) != fault.OutOfTime || took > 5*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// network is all of dom0's interfaces, addresses and routes.
func network(t *testing.T) string {
	t.Helper()
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	routes, err2 := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, l := range labtest.Links(t) {
		text = append(text, l.Attrs().Name+" "+l.Attrs().HardwareAddr.String())
	}
	all, err := json.Marshal([]any{text, addresses, routes})
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// With --net dom0 the child shares dom0's network, and what it asks for is
// not done to it.
func TestHostileChildInDom0(t *testing.T) {
	labtest.New(t, lab.Config{})
	before := network(t)
	out := &handover.Output{File: os.Stdout}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := Boot(ctx, Options{
		Network: session.Network{MAC: mac, Bridge: "xenbr0", Net: guest.Dom0}, Wanted: program.Wanted{Label: "addresses without end"}, Timeout: 10 * time.Second,
		Spec: handover.Spec{OutputDirectory: t.TempDir(), Format: xenout.Simple0, MaxKernel: 1, MaxInitrd: 1},
	}, out, quiet())
	if fault.CodeOf(err) != fault.NoLease {
		t.Errorf("got %v", err)
	}
	if after := network(t); after != before {
		t.Errorf("dom0's network was\n%s\nand is\n%s", before, after)
	}
}

// forever is select {} that the runtime does not take for a deadlock.
func forever() { time.Sleep(time.Hour) }
