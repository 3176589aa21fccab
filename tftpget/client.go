package tftpget

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// What the zero value of a Client's fields means.
const (
	// DefaultBlockSize fills an Ethernet frame of 1500 bytes: 20 go to IPv4,
	// 8 to UDP and 4 to TFTP.
	DefaultBlockSize  = 1468
	DefaultWindowSize = maxWindowSize
	DefaultTimeout    = time.Second
	DefaultRetries    = 5
)

// Client downloads files. Its zero value is ready to use, by several
// goroutines at once.
type Client struct {
	// BlockSize is the blksize to ask for (RFC 2348), 512 to 65464 bytes; the
	// server may choose another. 0 leaves the choice to the transfer: what
	// fits into a packet of the path's MTU; of a server that knows no windows
	// larger blocks, when the file has 1 MiB or more and the blocks arrive in
	// spite of being cut into fragments; and smaller ones when none arrives, or
	// too many get lost.
	BlockSize int

	// WindowSize is the windowsize to ask for (RFC 7440), in blocks, 64 at
	// most; 0 means DefaultWindowSize. It is asked for what fits into the
	// socket's buffer, and during the first windows the transfer goes over to
	// a smaller one if the network loses too much.
	//
	// 1 means lock-step, as PXELINUX and PXE ROMs do it: one request with
	// tsize and blksize, and one block at a time. Good for small files.
	WindowSize int

	// Timeout is how long to wait for a packet, at most, before the one it
	// answers is sent again; 0 means DefaultTimeout. With windows the wait is
	// shorter, as measured.
	Timeout time.Duration

	// Retries is how often a packet is sent again before the server is given
	// up, so that silence costs (Retries+1) x Timeout; 0 means
	// DefaultRetries, less means not at all.
	Retries int

	// LocalAddr is the address to send from; the zero Addr leaves the choice
	// to the kernel.
	LocalAddr netip.Addr

	// MaxSize is the size in bytes of the largest file to accept; 0 means
	// any. What the server announces is checked before anything is written,
	// and what it sends before it is written.
	MaxSize int64
}

// Open asks the server for a file, with the name exactly as given, and
// returns when the server has agreed to send it. The context rules the whole
// transfer, not only Open: when it ends, Open and WriteTo return its error at
// once. In lock-step the socket then lives on in the background until the
// server has been told, for 2 x (Retries+1) x Timeout at most unless the server
// keeps it busy with new OACKs.
//
// A port where no server listens is noticed within 0.2 s, and not after all
// retries. Errors are of type *Error.
func (c *Client) Open(ctx context.Context, server netip.AddrPort, name string) (*File, error) {
	server = netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	ctx, cancel := context.WithCancel(ctx)
	f := &File{ctx: ctx, cancel: cancel, server: server.String(), name: name, limit: c.MaxSize, begin: time.Now()}
	o, err := c.options(server)
	if err == nil {
		err = o.fit(name)
	}
	if err == nil {
		f.transfer, err = start(ctx, server, name, o, &f.counts)
	}
	if err != nil {
		cancel()
		return nil, f.fail(err)
	}
	if f.limit > 0 && f.Size() > f.limit {
		f.Close()
		return nil, f.fail(ErrTooBig)
	}
	return f, nil
}

// Get downloads a file into w. After an error w may have some of it.
func (c *Client) Get(ctx context.Context, server netip.AddrPort, name string, w io.Writer) (Stats, error) {
	f, err := c.Open(ctx, server, name)
	if err != nil {
		return Stats{}, err
	}
	_, err = f.WriteTo(w)
	return f.Stats(), err
}

// OpenURL opens a file by its URL, tftp://HOST[:PORT]/NAME (RFC 3617): the name
// is what follows the slash, with its escapes undone and without a transfer
// mode. A host name is looked up by net.DefaultResolver. Close what it returns,
// which is a *File.
//
// As a plain function, client.OpenURL, it is an Opener of package pxelinux.
func (c *Client) OpenURL(ctx context.Context, url string) (io.ReadCloser, error) {
	server, name, err := parseURL(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", url, err)
	}
	f, err := c.Open(ctx, server, name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func parseURL(ctx context.Context, link string) (server netip.AddrPort, name string, err error) {
	scheme, rest, _ := strings.Cut(link, "://")
	if !strings.EqualFold(scheme, "tftp") {
		return server, "", errors.New("not a URL of TFTP")
	}
	host, name, _ := strings.Cut(rest, "/")
	if end := strings.IndexAny(name, ";#"); end >= 0 {
		name = name[:end]
	}
	name = percent.Unescape(name)
	port := uint64(69)
	if h, digits, err := net.SplitHostPort(host); err == nil {
		if port, err = strconv.ParseUint(digits, 10, 16); err != nil {
			return server, "", fmt.Errorf("port %q: %w", digits, errors.Unwrap(err))
		}
		host = h
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", strings.Trim(host, "[]"))
	if err != nil {
		return server, "", err
	}
	return netip.AddrPortFrom(addrs[0], uint16(port)), name, nil
}

// start chooses the receiver. A server that wants no windows gets the request
// of any PXE ROM from pin/tftp, and one that wants no options at all the
// request of RFC 1350.
func start(ctx context.Context, server netip.AddrPort, name string, o options, counted *counts) (transfer, error) {
	if o.window > 1 || o.rarely() {
		d := newDownload(ctx, server, name, o, counted)
		err := d.start()
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, errBadOptions) && !aboutOptions(err) {
			return nil, err
		}
	}
	l, err := startLockstep(ctx, server, name, o, counted)
	if err == nil {
		return l, nil
	}
	if aboutOptions(err) {
		d := newDownload(ctx, server, name, o, counted)
		plain := d.ask(plainTerms)
		if plain == nil {
			return d, nil
		}
		if _, ok := errors.AsType[*serverError](plain); ok {
			err = plain // that is about the file, and not about the options
		}
	}
	return nil, err
}

// options is a Client with the defaults filled in.
type options struct {
	blockSize   int
	chooseBlock bool // the caller does not mind
	window      int
	timeout     time.Duration
	retries     int
	localAddr   netip.Addr
}

func (c *Client) options(server netip.AddrPort) (options, error) {
	o := options{c.BlockSize, c.BlockSize == 0, c.WindowSize, c.Timeout, c.Retries, c.LocalAddr}
	if o.blockSize == 0 {
		o.blockSize = pathBlockSize(server, c.LocalAddr)
	}
	// RFC 2348 allows blocks from 8 bytes on, but pin/tftp takes an agreed
	// size below 512 for 512, and then the first block for the last one.
	if o.blockSize < 512 || o.blockSize > maxBlockSize {
		return o, fmt.Errorf("block size %d is not between 512 and %d", o.blockSize, maxBlockSize)
	}
	o.window = cmp.Or(o.window, DefaultWindowSize)
	if o.window < 1 || o.window > maxWindowSize {
		return o, fmt.Errorf("window size %d is not between 1 and %d", o.window, maxWindowSize)
	}
	if o.timeout <= 0 {
		o.timeout = DefaultTimeout
	}
	o.retries = cmp.Or(o.retries, DefaultRetries)
	o.retries = max(o.retries, 0)
	return o, nil
}

// patience is how long the server may be silent.
func (o options) patience() time.Duration { return time.Duration(o.retries+1) * o.timeout }

// rarely is for a server that we have long patience with: pin/tftp would ask it
// each second until then.
func (o options) rarely() bool { return o.retries > DefaultRetries }

// pathBlockSize fills a packet of the path's MTU, up to the usual jumbo frames.
func pathBlockSize(server netip.AddrPort, local netip.Addr) int {
	mtu, err := pathMTU(server, local)
	if err != nil { // that which sends will say so better
		return DefaultBlockSize
	}
	headers := 20 + 8 + 4 // IPv4, UDP, TFTP
	if server.Addr().Is6() {
		headers += 20
	}
	return max(min(mtu, 9000)-headers, 512)
}

// fit refuses what can't be asked for, and leaves out what there is no room
// for. A request has at most 512 bytes (RFC 2347); pin/tftp cuts a longer name
// off or panics.
func (o *options) fit(name string) error {
	if strings.ContainsRune(name, 0) {
		return errors.New("a TFTP file name can't hold a NUL")
	}
	room := func(blockSize, window int, resend time.Duration) int {
		return 512 - len(readRequest("", terms{blockSize, window, -1, resend}))
	}
	if len(name) > room(maxBlockSize, o.window, time.Second) {
		o.window, o.chooseBlock = 1, false
	}
	if most := room(o.blockSize, 1, 0); len(name) > most {
		return fmt.Errorf("the name has %d bytes, a TFTP request has room for %d", len(name), most)
	}
	return nil
}
