package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenFlags are the flags for Spec.Open to open a file with: nothing waits for
// a FIFO's other end or a medium, and no terminal becomes the parent's.
const OpenFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

const (
	maxOpens    = 256  // that a child can ask for in its life, those that fail included
	maxOpenName = 4095 // bytes: PATH_MAX, less its NUL
	maxOpened   = 4096 // bytes of an answer
)

// opened is the parent's answer to a name. The descriptor comes with it when
// Text is empty.
type opened struct {
	Text  string        `json:",omitempty"` // what went wrong
	Errno syscall.Errno `json:",omitempty"` // and its kind, where it has one
}

func (o opened) Error() string { return o.Text }

// Unwrap makes errors.Is say fs.ErrNotExist and fs.ErrPermission as it would
// in the parent.
func (o opened) Unwrap() error {
	if o.Errno == 0 {
		return nil
	}
	return o.Errno
}

// socketPair is both ends of a socket between parent and child that keeps
// messages apart (SOCK_SEQPACKET).
func socketPair(name string) (parent *net.UnixConn, child *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	child = os.NewFile(uintptr(pair[1]), name)
	// With a name of the kernel's choice it can't get another (unix(7),
	// Autobind): a child that was taken over would take names that programs of
	// dom0's listen on, or other guests' claims.
	if err := unix.Bind(pair[1], &unix.SockaddrUnix{}); err != nil {
		unix.Close(pair[0])
		child.Close()
		return nil, nil, err
	}
	if parent, err = unixConn(os.NewFile(uintptr(pair[0]), name)); err != nil {
		child.Close()
		return nil, nil, err
	}
	return parent, child, nil
}

// unixConn is such an end as a connection. It closes the file.
func unixConn(file *os.File) (*net.UnixConn, error) {
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, errors.New("no Unix socket")
	}
	return unixConn, nil
}

// serveFiles answers the child until one of the two goes away. Who the child
// is by now is not known: what it asks for is open's to judge, and what it
// gets is checked here once more.
func serveFiles(conn *net.UnixConn, open func(name string) (*os.File, error)) {
	defer conn.Close()
	name := make([]byte, maxOpenName+1)
	for range maxOpens {
		n, err := conn.Read(name) // without room for descriptors: those that it sends are gone
		if err != nil || n == 0 || n > maxOpenName {
			return
		}
		file, err := openReadable(open, string(name[:n]))
		if err := answerOpen(conn, file, err); err != nil {
			return
		}
	}
}

// openReadable opens a file that a child may have: one that has content, and
// that can be neither written nor walked from to other files.
func openReadable(open func(name string) (*os.File, error), name string) (*os.File, error) {
	file, err := open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = checkReadable(info)
	}
	if err == nil {
		var flags int
		flags, err = unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
		if err == nil && (flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_PATH != 0) {
			err = errors.New("not opened for reading only")
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// checkReadable says no to what is neither a regular file nor a block device:
// a directory, a FIFO, a terminal. The error of a directory is EISDIR.
func checkReadable(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular(), mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		return nil
	case mode.IsDir():
		return syscall.EISDIR
	default:
		return fmt.Errorf("neither a file nor a block device (%s)", mode)
	}
}

func answerOpen(conn *net.UnixConn, file *os.File, err error) error {
	var answer opened
	var rights []byte
	if err == nil {
		defer file.Close()
		rights = unix.UnixRights(int(file.Fd()))
	} else {
		answer.Text = err.Error()
		answer.Text = answer.Text[:min(len(answer.Text), maxOpened/8)] // JSON makes it six times as long at most
		errors.As(err, &answer.Errno)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(text, rights, nil)
	return err
}

// files asks the parent for files, one at a time.
type files struct {
	mu   sync.Mutex
	conn *net.UnixConn
}

// Open asks the parent to open a file of dom0's for reading. What Spec.Open
// says to the name holds; errors.Is finds fs.ErrNotExist and fs.ErrPermission
// in the error. It can be called also after Confine, by several goroutines, and
// 256 times in all.
func (c *Child) Open(name string) (*os.File, error) {
	if c.files.conn == nil {
		return nil, fmt.Errorf("%s: no file of dom0's was named", name)
	}
	if name == "" || len(name) > maxOpenName {
		return nil, fmt.Errorf("a file's name has 1 to %d bytes: %w", maxOpenName, syscall.ENAMETOOLONG)
	}
	c.files.mu.Lock()
	defer c.files.mu.Unlock()
	file, err := c.files.open(name)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		err = fmt.Errorf("%s: the parent opens no more files", name)
	}
	return file, err
}

func (f *files) open(name string) (*os.File, error) {
	if _, err := f.conn.Write([]byte(name)); err != nil {
		return nil, err
	}
	text := make([]byte, maxOpened)
	rights := make([]byte, unix.CmsgSpace(4))
	n, m, flags, _, err := f.conn.ReadMsgUnix(text, rights)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	var answer opened
	if err := json.Unmarshal(text[:n], &answer); err != nil {
		return nil, err
	}
	if answer.Text != "" {
		return nil, answer
	}
	if flags&unix.MSG_CTRUNC != 0 { // RLIMIT_NOFILE
		return nil, fmt.Errorf("%s: %w", name, syscall.EMFILE)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("%s: the parent sent no descriptor", name)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("%s: the parent sent no descriptor", name)
	}
	return os.NewFile(uintptr(fds[0]), name), nil
}
