package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/pin/tftp/v3"
)

// TFTPPort is the port of RFC 1350.
const TFTPPort = 69

// ServeTFTP starts an embedded TFTP server of the tree under dir on the host.
// It reads only, never leaves the tree, and knows blksize (bounded by the
// MTU) and tsize.
func (h *Host) ServeTFTP(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("serve TFTP: %w", err)
	}
	server := tftp.NewServer(func(name string, transfer io.ReaderFrom) error {
		peer := transfer.(tftp.OutgoingTransfer).RemoteAddr()
		address := peer.AddrPort().Addr().Unmap()
		answered := h.lab.journal.asked(Request{Host: h.Name, Service: "tftp", MAC: h.macOf(address), Address: address, Asked: name})
		file, err := openFile(root, name)
		if err != nil {
			answered(err.Error(), 0)
			return err
		}
		defer file.Close()
		n, err := transfer.ReadFrom(file)
		if err != nil {
			result := "stopped by the client after"
			if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
				result = err.Error()
			} else if n == 0 {
				result = "told its size" // the client ended it when it had heard the options (RFC 2349)
			}
			answered(result, n)
			return err
		}
		answered("sent", n)
		return nil
	}, nil)
	server.SetTimeout(time.Second)
	server.SetBackoff(func(int) time.Duration { return 0 })

	var conn *net.UDPConn
	err = h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: TFTPPort})
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("serve TFTP: %w", err), root.Close())
	}
	// In the namespace, as it opens a socket for each transfer.
	ended := onThread(h.ns, func() error { return server.Serve(conn) })
	h.OnClose(func() {
		server.Shutdown()
		<-ended
		root.Close()
	})
	return nil
}

var errNotFound = errors.New("file not found")

// openFile opens a regular file of the tree. A leading slash means the tree.
func openFile(root *os.Root, name string) (*os.File, error) {
	file, err := root.Open(strings.TrimLeft(name, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("access violation: %w", err)
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, errors.New("access violation: not a file")
	}
	return file, nil
}

// ServeHTTP starts an embedded HTTP server of the tree under dir on the host,
// on port 80.
func (h *Host) ServeHTTP(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	var listener net.Listener
	err = h.Do(func() (err error) {
		listener, err = net.Listen("tcp4", ":80")
		return err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("serve HTTP: %w", err), root.Close())
	}
	files := http.FileServerFS(root.FS())
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			r := Request{Host: h.Name, Service: "http", Asked: request.URL.Path}
			if peer, err := netip.ParseAddrPort(request.RemoteAddr); err == nil {
				r.Address = peer.Addr().Unmap()
				r.MAC = h.macOf(r.Address)
			}
			answered := h.lab.journal.asked(r)
			reply := &countingWriter{ResponseWriter: w, status: http.StatusOK}
			files.ServeHTTP(reply, request)
			result := "sent"
			if reply.status >= 300 {
				result = fmt.Sprintf("%d %s", reply.status, http.StatusText(reply.status))
			}
			answered(result, reply.bytes)
		}),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with ErrServerClosed
	}()
	h.OnClose(func() {
		_ = server.Close()
		<-ended
		root.Close()
	})
	return nil
}

// countingWriter notes what a handler answered.
type countingWriter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *countingWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}
