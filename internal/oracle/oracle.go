package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child in the environment of a process says that it is to run the case on its
// standard input, in namespaces of its own.
const child = "GOPXEBOOT_ORACLE_CHILD"

// diskName is what the boot sector of the machine's own disk reports.
const diskName = "the disk"

// Child does the work when this process was started by Run, and then exits.
// Programs that call Run have to call it first in main or TestMain.
func Child() {
	if os.Getenv(child) == "" {
		return
	}
	if err := runChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Run boots the case's machine. It starts this program again in namespaces of
// its own for network, files and processes, so that nothing of it is left,
// however it ends.
func Run(ctx context.Context, c *Case) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout+5*time.Second)
	defer cancel()
	input, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	// The kernel sends the death signal when the thread that started the
	// child ends, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), child+"=1")
	cmd.Stdin = bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("boot: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var a Answer
	if err := json.Unmarshal(stdout.Bytes(), &a); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	return &a, nil
}

func runChild() error {
	var c Case
	if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
		return err
	}
	// A file system in memory takes the place of the temporary directory;
	// it vanishes with the namespace.
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	dir := os.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount a scratch directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	a, err := boot(ctx, &c, dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(a)
}

// boot serves the case's tree and watches the machine boot from it.
func boot(ctx context.Context, c *Case, dir string) (*Answer, error) {
	s, err := assembleStubs(ctx, dir)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "root")
	if err := writeTree(c, s, root); err != nil {
		return nil, fmt.Errorf("write the tree: %w", err)
	}
	disk := filepath.Join(dir, "disk")
	if err := os.WriteFile(disk, append(s.program(diskName)[:512], make([]byte, 1<<20)...), 0o600); err != nil {
		return nil, err
	}
	ifi, err := addTap(c)
	if err != nil {
		return nil, err
	}
	r := newRecorder(c)
	conn, err := listen(ifi)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := r.watch(conn)
	web, err := net.Listen("tcp4", ":80")
	if err != nil {
		return nil, err
	}
	defer web.Close()
	go http.Serve(web, r.serveHTTP(root, c.Moved))
	files, err := net.Listen("tcp4", ":21")
	if err != nil {
		return nil, err
	}
	defer files.Close()
	go r.serveFTP(files, root)

	servers, err := dnsmasq(c, root, dir)
	if err != nil {
		return nil, err
	}
	var log bytes.Buffer
	servers.Stdout, servers.Stderr = &log, &log
	if err := servers.Start(); err != nil {
		return nil, err
	}
	m, err := start(ctx, c, disk, dir)
	if err != nil {
		return nil, fmt.Errorf("start qemu: %w", err)
	}
	a, err := m.watch(ctx, c, r)
	err = errors.Join(err, stop())
	servers.Process.Kill()
	servers.Wait()
	if err == nil {
		err = m.end(a, r)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, log.Bytes())
	}
	return a, nil
}

// watch follows the machine to its end, or to where it waits without end. Where
// it waits for the first time, it gets the case's keys, and in a menu that
// they lead to the Enter key; none of them where somebody types on its serial
// line.
func (m *machine) watch(ctx context.Context, c *Case, r *recorder) (*Answer, error) {
	a := &Answer{}
	var serial *typist
	if len(c.Serial) > 0 {
		var err error
		if serial, err = m.sitDown(c.Serial); err != nil {
			return nil, err
		}
	}
	var (
		last    []string
		packets int
		pressed int  // how often keys were pressed
		seen    int  // requests when they were
		circles bool // it goes round without end
		changed = time.Now()
		tick    = time.NewTicker(100 * time.Millisecond)
	)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_, requests := r.seen()
			return nil, fmt.Errorf("still running after %v; requests %v; screen:\n%s", c.Timeout, requests, strings.Join(last, "\n"))
		case <-m.exited:
			return a, nil
		case <-tick.C:
		}
		screen, err := m.screen()
		if errors.Is(err, errExited) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n, requests := r.seen()
		if !circles && len(round(requests)) < len(requests) {
			if len(menus(requests)) < many {
				m.stop()
				a.Outcome = Circles
				return a, nil
			}
			a.Waits, circles = true, true
		}
		if circles {
			// A user would choose what is highlighted, and so on in the
			// menu that this leads to.
			if pressed++; pressed > 20 {
				m.stop()
				a.Outcome = Circles
				return a, nil
			}
			if err := m.press("\r"); err != nil && !errors.Is(err, errExited) {
				return nil, err
			}
			time.Sleep(400 * time.Millisecond)
			continue
		}
		if n != packets || !slices.Equal(screen, last) || len(requests) < 2 || slices.ContainsFunc(screen, isFirmware) {
			packets, last, changed = n, screen, time.Now()
			continue
		}
		if time.Since(changed) < c.Settle {
			continue
		}
		if serial != nil {
			if err := serial.waiting(); err != nil {
				return nil, err
			}
		}
		if serial != nil || pressed == 2 || pressed == 1 && !slices.ContainsFunc(requests[seen:], isMenu) { // it will not boot
			m.stop()
			a.Outcome = Stuck
			if slices.ContainsFunc(screen, isPrompt) {
				a.Outcome = Prompt
			}
			return a, nil
		}
		keys := "\r"
		if pressed == 0 {
			a.Waits, a.Screen, a.Later = true, words(screen), len(requests)
			keys = c.Keys
		}
		pressed, seen = pressed+1, len(requests)
		if err := m.press(keys); err != nil && !errors.Is(err, errExited) {
			return nil, err
		}
		changed = time.Now()
	}
}

// stop turns the machine off.
func (m *machine) stop() {
	m.cmd.Process.Kill()
	<-m.exited
}

// end completes the answer when the machine is gone.
func (m *machine) end(a *Answer, r *recorder) error {
	_, requests := r.seen()
	if len(requests) == 0 {
		return errors.New("the machine asked for nothing")
	}
	if a.Outcome != "" {
		requests = round(requests)
	} else if err := m.report(a); err != nil {
		return err
	} else if first := round(requests); len(first) < len(requests) {
		requests = slices.Concat(first, lastRound(requests))
	}
	a.Requests = requests[1:] // without the boot file
	if a.Later > 0 {
		a.Later = len(requests) - a.Later
	}
	if a.Outcome != "" {
		return nil
	}
	select {
	case reason := <-m.reason:
		a.Outcome = PowerOff
		if reason == "guest-reset" {
			a.Outcome = Reset
		}
		return nil
	default:
		return errors.New("qemu ended without a reason")
	}
}

// isMenu recognises the modules that show a menu.
func isMenu(q Request) bool { return q.Result == Found && strings.HasSuffix(q.File, "menu.c32") }

// many times the same will be many more.
const many = 5

// round returns the first time round, up to the second menu or up to the second
// time that a file was not there, if there were so many that there will be no
// end to them.
func round(requests []Request) []Request {
	if m := menus(requests); len(m) >= many {
		return requests[:m[1]]
	}
	absent := map[Request][]int{}
	for i, q := range requests {
		if q.Result == Absent {
			absent[q] = append(absent[q], i)
		}
	}
	for _, again := range absent {
		if len(again) >= many {
			return requests[:again[1]]
		}
	}
	return requests
}

// lastRound returns what the last menu asked for after what the first one did.
func lastRound(requests []Request) []Request {
	m := menus(requests)
	if len(m) < 2 {
		return nil
	}
	last := requests[m[len(m)-1]:]
	return last[min(m[1]-m[0], len(last)):]
}

// menus returns where menus were loaded. The extension search and the loader
// may both ask for a module: that is one.
func menus(requests []Request) []int {
	var at []int
	for i, q := range requests {
		if isMenu(q) && requests[i-1] != q {
			at = append(at, i)
		}
	}
	return at
}

// isFirmware recognises iPXE, which PXELINUX has left the machine to again.
func isFirmware(line string) bool { return strings.HasPrefix(line, "No more network devices") }

func isPrompt(line string) bool {
	return strings.HasPrefix(line, "boot:") || strings.HasPrefix(line, "grub>")
}

// words is the text on the screen without empty lines, and without what the
// firmware wrote before PXELINUX.
func words(screen []string) []string {
	if i := slices.IndexFunc(screen, func(line string) bool { return strings.HasPrefix(line, "PXELINUX ") }); i >= 0 {
		screen = screen[i+1:]
	}
	var lines []string
	for _, line := range screen {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
