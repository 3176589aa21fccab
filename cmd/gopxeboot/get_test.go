package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"golang.org/x/sys/unix"
)

// TestGetIntoStdout has standard output be what a shell can make of it: get
// adds to what is there.
func TestGetIntoStdout(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	tree := sampleTree(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "empty"), nil, 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	content, err := os.ReadFile(filepath.Join(tree, lab.SampleKernel))
	labtest.Check(t, err)
	kernel, empty, missing := "tftp://192.168.1.166/"+lab.SampleKernel, "tftp://192.168.1.166/empty", "tftp://192.168.1.166/missing"
	const before = "what was there\n"
	for _, test := range []struct {
		name string
		args []string
		want string // behind what was there
		code int
	}{
		{"as dom0", []string{"-o", "-", kernel}, string(content), 0},
		{"as the guest", []string{"-o", "-", vif, kernel}, string(content), 0},
		{"by another name", []string{"-o", "/dev/stdout", vif, kernel}, string(content), 0},
		{"an empty file", []string{"-o", "-", vif, empty}, "", 0},
		{"no file, as dom0", []string{"-o", "-", missing}, "", 6},
		{"no file, as the guest", []string{"-o", "-", vif, missing}, "", 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"get"}, test.args...)
			if o := gopxeboot(t, args...); o.Code != test.code || o.Stdout != test.want { // a pipe
				t.Errorf("pipe: exit %d, %d bytes: %s", o.Code, len(o.Stdout), o.Stderr)
			}
			for how, flag := range map[string]int{">>": os.O_APPEND, "{ cat; get; } >": 0} {
				name := filepath.Join(t.TempDir(), "out")
				file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|flag, 0o600)
				labtest.Check(t, err)
				defer file.Close()
				_, err = file.WriteString(before)
				labtest.Check(t, err)
				cmd := command(t.Context(), args...)
				var log bytes.Buffer
				cmd.Stdout, cmd.Stderr = file, &log
				if cmd.Run(); cmd.ProcessState.ExitCode() != test.code {
					t.Errorf("%s: exit %d: %s", how, cmd.ProcessState.ExitCode(), &log)
				}
				if got, err := os.ReadFile(name); err != nil || string(got) != before+test.want {
					t.Errorf("%s: %d bytes, %v", how, len(got), err)
				}
			}
		})
	}
}

// What goes to a standard output that is closed would be lost.
func TestClosedStdout(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	dir := t.TempDir()
	self, err := filepath.Abs(os.Args[0]) // in a shell /proc/self/exe is the shell
	labtest.Check(t, err)
	labtest.Check(t, os.Symlink(self, filepath.Join(dir, "gopxeboot")))
	const kernel = " tftp://192.168.1.166/" + lab.SampleKernel
	for _, test := range []struct {
		args string
		code int
	}{
		{"get -o -" + kernel + " >&-", 7},
		{"get -o - " + vif + kernel + " >&-", 7},
		{"get -o /dev/stdout" + kernel + " >&-", 7},
		{"get -o /dev/null" + kernel + " >&-", 0},
		{"get -o -" + kernel + " >/dev/null", 0},
		{"get -o -" + kernel + " 1<>/dev/null", 7}, // as Python's subprocess.DEVNULL
		{"get -o " + dir + "/got" + kernel + " >&-", 0},
		{"--output-directory=" + dir + "/results " + vif + " >&-", 7},
		{"--output-directory=" + dir + "/results --output=" + dir + "/answer " + vif + " >&-", 0},
	} {
		o := wait(t, exec.CommandContext(t.Context(), "sh", "-c", "exec "+dir+"/gopxeboot "+test.args))
		if says := strings.Contains(o.Stderr, "standard output is closed"); o.Code != test.code || says != (test.code == 7) {
			t.Errorf("%s: exit %d: %s", test.args, o.Code, o.Stderr)
		}
		if strings.HasPrefix(test.args, "get") && test.code == 7 && !strings.Contains(o.Stderr, "-o /dev/null keeps nothing") {
			t.Errorf("%s: it does not say how to throw the file away: %s", test.args, o.Stderr)
		}
		if _, err := os.Stat(dir + "/results"); test.code == 7 && err == nil {
			t.Errorf("%s: it leaves files", test.args)
		}
	}
}

// TestGetIntoPipe has what reads the output go away, or take nothing.
func TestGetIntoPipe(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	tree := sampleTree(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "large"), make([]byte, 1<<20), 0o644)) // more than a pipe takes
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	for _, who := range []string{"", vif} {
		args := []string{"get", "--timeout=3", "-o", "-", "tftp://192.168.1.166/large"}
		if who != "" {
			args = append(args, who)
		}
		gone, w, err := os.Pipe()
		labtest.Check(t, err)
		gone.Close()
		cmd := command(t.Context(), args...)
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &log
		cmd.Run()
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != 7 || !strings.Contains(log.String(), "broken pipe; see what reads the output") {
			t.Errorf("%q: a pipe that nothing reads: exit %d: %s", who, code, &log)
		}
		for name, read := range map[string]bool{"nothing reads it": false, "what reads it takes nothing": true} {
			fifo := filepath.Join(t.TempDir(), "fifo")
			labtest.Check(t, unix.Mkfifo(fifo, 0o600))
			if read {
				r, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
				labtest.Check(t, err)
				defer r.Close()
			}
			args[3] = fifo
			if o := gopxeboot(t, args...); o.Code != 8 {
				t.Errorf("%q: a FIFO: %s: exit %d: %s", who, name, o.Code, o.Stderr)
			}
		}
	}
}

// What is there already does not count for the largest file that is taken.
func TestGetBehindMuch(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	name := filepath.Join(t.TempDir(), "out")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	labtest.Check(t, err)
	defer file.Close()
	const before = 3 << 30 // a hole
	labtest.Check(t, file.Truncate(before))
	cmd := command(t.Context(), "get", "-o", "-", vif, "tftp://192.168.1.166/"+lab.SampleKernel)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = file, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &log)
	}
	want, err := os.Stat(filepath.Join(tree, lab.SampleKernel))
	labtest.Check(t, err)
	if got, err := os.Stat(name); err != nil || got.Size() != before+want.Size() {
		t.Errorf("%d bytes, %v", got.Size(), err)
	}
}

// A file that get makes has no name before it is whole and verified.
func TestGetNamesLast(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	if fd, err := unix.Open(t.TempDir(), unix.O_TMPFILE|unix.O_WRONLY, 0o600); err != nil {
		t.Skip("this file system has no O_TMPFILE")
	} else {
		unix.Close(fd)
	}
	content := make([]byte, 100_000)
	sent, goOn := make(chan bool), make(chan bool)
	serveTCP(t, l.Servers, "192.168.1.166:80", func(conn net.Conn) {
		conn.Read(make([]byte, 4096))
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(content))
		conn.Write(content[:50_000])
		sent <- true
		<-goOn
		conn.Write(content[50_000:])
	})
	for _, c := range []struct {
		name, digest string
		code         int
		left         []string
	}{
		{"right", fmt.Sprintf("%x", sha256.Sum256(content)), 0, []string{"file"}},
		{"wrong", strings.Repeat("0", 64), 5, nil},
	} {
		dir := t.TempDir()
		cmd := command(t.Context(), "get", "--sha256=file="+c.digest, "http://192.168.1.166/file")
		cmd.Dir = dir
		ended := make(chan outcome)
		go func() { ended <- wait(t, cmd) }()
		<-sent
		equal(t, c.name+", while it comes", entries(t, dir), []string(nil))
		goOn <- true
		if o := <-ended; o.Code != c.code {
			t.Errorf("%s: %+v", c.name, o)
		}
		equal(t, c.name, entries(t, dir), c.left)
	}
	cmd := command(t.Context(), "get", "http://192.168.1.166/a/file", "http://192.168.1.166/b/file")
	cmd.Dir = t.TempDir()
	if o := wait(t, cmd); o.Code != 7 || !strings.Contains(o.Stderr, "two URLs name a file file") || len(entries(t, cmd.Dir)) > 0 {
		t.Errorf("%+v", o)
	}
}

// An empty file is a file, which get makes.
func TestGetEmpty(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	tree := sampleTree(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "empty"), nil, 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	name := filepath.Join(t.TempDir(), "file")
	o := gopxeboot(t, "get", "-o", name, vif, "tftp://192.168.1.166/empty")
	if info, err := os.Stat(name); err != nil || info.Size() != 0 || o.Code != 0 {
		t.Errorf("%v, %+v", err, o)
	}
	name += "2"
	o = gopxeboot(t, "get", "-o", name, vif, "tftp://192.168.1.166/missing")
	if _, err := os.Stat(name); err == nil || o.Code != 6 {
		t.Errorf("a file that is not there: %v, %+v", err, o)
	}
}
