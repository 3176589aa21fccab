package fetch

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
	"golang.org/x/net/dns/dnsmessage"
)

// maxServers is how many name servers PXELINUX takes from option 6.
const maxServers = 4

// resolve finds a host's address: as it stands, else from the lease's name
// servers, else, as PXELINUX does without a word (pxe.c, url_set_ip), it is the
// boot server's.
//
// The package net can't be kept from reading /etc/hosts, /etc/resolv.conf and
// /etc/nsswitch.conf, which are dom0's and not the guest's, so the question is
// asked here.
func (c *Client) resolve(ctx context.Context, host string) (netip.Addr, error) {
	addr, err := c.find(ctx, host)
	if err == nil && c.Refuse != nil {
		err = c.Refuse(addr)
	}
	return addr, err
}

// Lookup finds the address of a name that stands for a boot server itself, so that
// none is used in its place.
func (c *Client) Lookup(ctx context.Context, host string) (netip.Addr, error) {
	alone := *c
	alone.Fallback = netip.Addr{}
	return alone.resolve(ctx, host)
}

// names is what is remembered; nothing where that is not wanted.
func (c *Client) names() *Names { return cmp.Or(c.Names, new(Names)) }

func (c *Client) find(ctx context.Context, host string) (addr netip.Addr, err error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap(), nil
	}
	if host == "" { // tftp:///x
		if c.Fallback.IsValid() {
			return c.Fallback, nil
		}
		return netip.Addr{}, errors.New("the URL names no host")
	}
	names := c.names()
	if err, known := names.failed.Load(host); known {
		if c.Fallback.IsValid() {
			return c.Fallback, nil
		}
		return netip.Addr{}, err.(error)
	}
	began, l := time.Now(), Lookup{Name: host}
	if c.Resolve != nil {
		l.Address, err = c.Resolve(ctx, host)
	} else {
		l.Address, err = c.lookup(ctx, host, &l)
	}
	if l.Took = time.Since(began); c.LookedUp != nil && ctx.Err() == nil {
		c.LookedUp(l)
	}
	addr = l.Address
	if err != nil && ctx.Err() == nil {
		names.failed.Store(host, err)
	}
	if err != nil && ctx.Err() == nil && c.Fallback.IsValid() {
		c.warn("%v; using the boot server %s in its place, as PXELINUX does", err, c.Fallback)
		return c.Fallback, nil
	}
	return addr, err
}

// Lookup is what came of looking up a name.
type Lookup struct {
	Name    string
	Address netip.Addr // zero where no server has one
	Failed  []NameServer
	Took    time.Duration
}

// NameServer is one that gave no address, and why.
type NameServer struct {
	Address netip.Addr
	Err     error // ErrTimeout for silence
}

// Silent says whether no DNS server answers there.
func (n NameServer) Silent() bool {
	return !errors.Is(n.Err, errNoAddress) && !errors.Is(n.Err, ErrForbidden)
}

// Names remembers what came of looking up names, for all files of one boot: who was
// silent for one is most likely so for the next, and each time costs a user 10 s. Its
// zero value knows nothing.
type Names struct {
	silent sync.Map // DNS servers, by netip.Addr
	failed sync.Map // errors, by name
}

// isSilent says whether a DNS server has not answered before.
func (n *Names) isSilent(server netip.Addr) bool {
	_, silent := n.silent.Load(server)
	return silent
}

// patienceWithSilent is how long a DNS server is waited for that was silent before:
// it may be so for other names only, which it has to ask others for.
const patienceWithSilent = 500 * time.Millisecond

// noteSilent remembers those that did not answer, and says once what that cost.
func (c *Client) noteSilent(list []NameServer, took time.Duration) {
	for _, s := range list {
		if c.Names == nil || !errors.Is(s.Err, ErrTimeout) {
			continue
		}
		if _, known := c.Names.silent.LoadOrStore(s.Address, true); !known {
			c.warn("the DNS server %s does not answer, which cost %.1f s: others are asked before it from now on", s.Address, took.Seconds())
		}
	}
}

// lookup asks the name servers in order, twice, and takes the first address.
// The time for all of it is shared out evenly. l gets those that have none.
func (c *Client) lookup(ctx context.Context, host string, l *Lookup) (netip.Addr, error) {
	fqdn := strings.TrimSuffix(host, ".")
	if domain := strings.Trim(c.Domain, "."); !strings.Contains(host, ".") && domain != "" {
		fqdn += "." + domain
	}
	q, err := newQuestion(fqdn + ".")
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s is no host name: %w", printable.Line(fqdn, maxMessage), err)
	}
	servers := slices.Clone(c.DNS[:min(len(c.DNS), maxServers)])
	slices.SortStableFunc(servers, func(a, b netip.Addr) int {
		return cmp.Compare(btoi(c.names().isSilent(a)), btoi(c.names().isSilent(b)))
	})
	if len(servers) == 0 {
		return netip.Addr{}, fmt.Errorf("can't resolve %s: the lease names no DNS server", printable.Line(fqdn, maxMessage))
	}
	const rounds = 2
	share := c.timeout() / time.Duration(rounds*len(servers))
	said := make([]error, len(servers)) // what a server had to say is said once
	last := make([]error, len(servers))
	began := time.Now()
	defer func() {
		for i, err := range last {
			if err != nil {
				l.Failed = append(l.Failed, NameServer{servers[i], err})
			}
		}
		if ctx.Err() == nil {
			c.noteSilent(l.Failed, time.Since(began))
		}
	}()
	for i, server := range servers {
		if c.Refuse != nil {
			said[i] = c.Refuse(server)
			last[i] = said[i]
		}
	}
	for range rounds {
		for i, server := range servers {
			if said[i] != nil {
				continue
			}
			patience := share
			if c.names().isSilent(server) {
				patience = min(share, patienceWithSilent)
			}
			addr, err := c.ask(ctx, server, q, patience)
			last[i] = err
			switch {
			case err == nil:
				return addr, nil
			case ctx.Err() != nil:
				return netip.Addr{}, ctx.Err()
			case errors.Is(err, errNoAddress):
				said[i] = err
			}
		}
	}
	for i, err := range said {
		if err != nil {
			return netip.Addr{}, fmt.Errorf("can't resolve %s: %s: %w", printable.Line(fqdn, maxMessage), servers[i], err)
		}
	}
	return netip.Addr{}, fmt.Errorf("can't resolve %s: %w from DNS server %s", printable.Line(fqdn, maxMessage), ErrTimeout, servers[0])
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

var (
	errNoAddress = errors.New("no address")
	errTruncated = fmt.Errorf("%w in a truncated answer", errNoAddress)
)

// question asks for a name's IPv4 addresses; the guest has no other.
type question struct {
	id     uint16
	name   string
	packed []byte
}

func newQuestion(name string) (*question, error) {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, err
	}
	id := uint16(rand.Uint32())
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	return &question{id, name, packed}, err
}

// ask puts a question to one server, and again by TCP when the answer had no
// room for the address (RFC 1035 section 4.2.1).
func (c *Client) ask(ctx context.Context, server netip.Addr, q *question, patience time.Duration) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	addr, err := c.askBy(ctx, "udp", server, q)
	if err != nil && ctx.Err() != nil {
		return addr, fmt.Errorf("%w from %s", ErrTimeout, server)
	}
	if errors.Is(err, errTruncated) {
		if addr, err = c.askBy(ctx, "tcp", server, q); err != nil && !errors.Is(err, errNoAddress) {
			err = fmt.Errorf("%w, and asked by TCP: %w", errTruncated, err)
		}
	}
	return addr, err
}

func (c *Client) askBy(ctx context.Context, network string, server netip.Addr, q *question) (netip.Addr, error) {
	conn, err := c.dial(ctx, network, netip.AddrPortFrom(server, 53))
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	packet, read := q.packed, conn.Read
	if network == "tcp" { // a length stands before each message
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
		read = func(p []byte) (int, error) {
			if _, err := io.ReadFull(conn, p[:2]); err != nil {
				return 0, err
			}
			return io.ReadFull(conn, p[:binary.BigEndian.Uint16(p)])
		}
	}
	if _, err := conn.Write(packet); err != nil {
		return netip.Addr{}, inWords(err, server.String())
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := read(buf)
		if err != nil {
			return netip.Addr{}, inWords(err, server.String())
		}
		addr, err := q.answer(buf[:n])
		if !errors.Is(err, errNotOurs) {
			return addr, err
		}
	}
}

var errNotOurs = errors.New("not an answer to our question")

// answer returns the first address in a recursive server's answer. What CNAMEs
// lead there is the server's business. An address that a truncated answer has
// room for is as good as those that follow.
func (q *question) answer(p []byte) (netip.Addr, error) {
	var parser dnsmessage.Parser
	h, err := parser.Start(p)
	if err != nil || !h.Response || h.ID != q.id {
		return netip.Addr{}, errNotOurs
	}
	echo, err := parser.Question()
	if err != nil || echo.Type != dnsmessage.TypeA || echo.Class != dnsmessage.ClassINET || !strings.EqualFold(echo.Name.String(), q.name) {
		return netip.Addr{}, errNotOurs
	}
	if h.RCode != dnsmessage.RCodeSuccess {
		return netip.Addr{}, fmt.Errorf("%w (%s)", errNoAddress, strings.TrimPrefix(h.RCode.String(), "RCode"))
	}
	none := errNoAddress
	if h.Truncated {
		none = errTruncated
	}
	if err := parser.SkipAllQuestions(); err != nil {
		return netip.Addr{}, none
	}
	for {
		h, err := parser.AnswerHeader()
		if err != nil {
			return netip.Addr{}, none
		}
		if h.Type != dnsmessage.TypeA || h.Class != dnsmessage.ClassINET {
			if parser.SkipAnswer() != nil {
				return netip.Addr{}, none
			}
			continue
		}
		a, err := parser.AResource()
		if err != nil {
			return netip.Addr{}, none
		}
		return netip.AddrFrom4(a.A), nil
	}
}
