package tftpget

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// What the zero value of a Client's fields means.
const (
	// DefaultBlockSize fills an Ethernet frame of 1500 bytes: 20 go to IPv4,
	// 8 to UDP and 4 to TFTP.
	DefaultBlockSize = 1468
	DefaultTimeout   = time.Second
	DefaultRetries   = 5
)

// Client downloads files. Its zero value is ready to use, by several
// goroutines at once.
type Client struct {
	// BlockSize is the blksize to ask for (RFC 2348), 512 to 65464 bytes; 0
	// means DefaultBlockSize. Ask for more than the path's MTU less 32 only
	// where IP fragments arrive. The server may choose another.
	BlockSize int

	// Timeout is how long to wait for a packet before the one it answers is
	// sent again; 0 means DefaultTimeout.
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
// once. The socket then lives on in the background until the server has been
// told, for 2 x (Retries+1) x Timeout at most unless the server keeps it busy
// with new OACKs.
//
// Errors are of type *Error.
func (c *Client) Open(ctx context.Context, server netip.AddrPort, name string) (*File, error) {
	server = netip.AddrPortFrom(server.Addr().Unmap(), server.Port())
	f := &File{
		ctx: ctx, server: server.String(), name: name,
		limit: c.MaxSize, begin: time.Now(), retransmits: new(atomic.Int64),
	}
	o, err := c.options()
	if err == nil {
		f.patience = o.timeout
		err = checkName(name, o.blockSize)
	}
	if err == nil {
		f.transfer, err = request(ctx, server, name, o, f.retransmits)
	}
	if err != nil {
		return nil, f.fail(err)
	}
	if f.limit > 0 && f.Size() > f.limit {
		f.Close()
		return nil, f.fail(ErrTooBig)
	}
	return f, nil
}

// options is a Client with the defaults filled in.
type options struct {
	blockSize int
	timeout   time.Duration
	retries   int
	localAddr netip.Addr
}

func (c *Client) options() (options, error) {
	o := options{c.BlockSize, c.Timeout, c.Retries, c.LocalAddr}
	if o.blockSize == 0 {
		o.blockSize = DefaultBlockSize
	}
	// RFC 2348 allows blocks from 8 bytes on, but pin/tftp takes an agreed
	// size below 512 for 512, and then the first block for the last one.
	if o.blockSize < 512 || o.blockSize > 65464 {
		return o, fmt.Errorf("block size %d is not between 512 and 65464", o.blockSize)
	}
	if o.timeout <= 0 {
		o.timeout = DefaultTimeout
	}
	if o.retries == 0 {
		o.retries = DefaultRetries
	}
	o.retries = max(o.retries, 0)
	return o, nil
}

// checkName refuses what can't be asked for. A request has at most 512 bytes
// (RFC 2347); pin/tftp cuts a longer name off or panics.
func checkName(name string, blockSize int) error {
	if strings.ContainsRune(name, 0) {
		return errors.New("a TFTP file name can't hold a NUL")
	}
	most := 512 - len("\x00\x01"+"\x00octet\x00tsize\x000\x00blksize\x00\x00") - len(strconv.Itoa(blockSize))
	if len(name) > most {
		return fmt.Errorf("the name has %d bytes, a TFTP request has room for %d", len(name), most)
	}
	return nil
}
