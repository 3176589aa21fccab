package tftpget

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"
)

// network is a server, its file and a bad network, in a time of their own. It
// is the receiver's socket.
type network struct {
	content []byte
	terms   terms
	random  *rand.Rand
	delay   time.Duration // one way
	lose    float64       // probabilities, in each direction
	twice   float64
	late    float64
	drop    func(toClient bool, nth int) bool // for the nth packet in a direction, from 0
	deaf    bool                              // the server does nothing about ACKs that it knows
	zero    bool                              // the server goes on from 65535 to 1
	block   time.Duration                     // how long a block takes to send
	atftpd  *atftpd                           // the server, where it is that one

	clock  time.Time
	events []event
	counts [2]int // packets, to the server and to the client
	begin  int64  // the server's window
	round  int    // how often the server has begun to wait
}

// event is a packet on its way, or the end of the server's patience.
type event struct {
	at       time.Time
	toClient bool
	packet   []byte
	round    int
}

// serverPatience is how long the server waits for an ACK.
const serverPatience = time.Second

// blockTime is how long a block takes to send where the network is the best.
const blockTime = 10 * time.Microsecond

func newNetwork(content []byte, t terms, seed uint64) *network {
	n := &network{
		content: content, terms: t, random: rand.New(rand.NewPCG(seed, 7440)), delay: 100 * time.Microsecond, block: blockTime,
		clock: time.Unix(0, 0), begin: 1,
	}
	n.wait()
	return n
}

func (n *network) now() time.Time { return n.clock }
func (n *network) close()         {}

func (n *network) repeat([]byte, time.Duration) func() { return func() {} }

func (n *network) send(p []byte) error {
	n.travel(false, slices.Clone(p), n.clock)
	return nil
}

// travel puts a packet on its way.
func (n *network) travel(toClient bool, p []byte, from time.Time) {
	direction := 0
	if toClient {
		direction = 1
	}
	nth := n.counts[direction]
	n.counts[direction]++
	if n.random.Float64() < n.lose || n.drop != nil && n.drop(toClient, nth) {
		return
	}
	at := from.Add(n.delay)
	if n.random.Float64() < n.late {
		at = at.Add(time.Duration(n.random.IntN(4)) * blockTime)
	}
	n.add(event{at: at, toClient: toClient, packet: p})
	if n.random.Float64() < n.twice {
		n.add(event{at: at.Add(blockTime / 2), toClient: toClient, packet: p})
	}
}

func (n *network) add(e event) {
	i, _ := slices.BinarySearchFunc(n.events, e, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), -1)
	})
	n.events = slices.Insert(n.events, i, e)
}

// wait begins the server's patience anew.
func (n *network) wait() { n.pause(serverPatience) }

func (n *network) pause(d time.Duration) {
	n.round++
	n.add(event{at: n.clock.Add(d), round: n.round})
}

func (n *network) receive(p []byte, wait time.Duration) (int, error) {
	until := n.clock.Add(wait)
	for len(n.events) > 0 && !n.events[0].at.After(until) {
		e := n.events[0]
		n.events = n.events[1:]
		n.clock = e.at
		switch {
		case e.toClient:
			return copy(p, e.packet), nil
		case e.packet != nil && n.atftpd != nil:
			n.atftpd.acknowledged(n, e.packet)
		case e.packet != nil:
			n.acknowledged(e.packet)
		case e.round == n.round && n.atftpd != nil:
			n.atftpd.next(n)
		case e.round == n.round && n.begin <= n.blocks():
			n.sendWindow()
		}
	}
	n.clock = until
	return 0, errQuiet
}

// acknowledged is the server as RFC 7440 section 4 has it: it goes on after the
// block that an ACK names.
func (n *network) acknowledged(p []byte) {
	if binary.BigEndian.Uint16(p) != opACK {
		return
	}
	number := int64(binary.BigEndian.Uint16(p[2:]))
	for block := n.begin - 1; block < n.begin+int64(n.terms.window); block++ {
		// An ACK of what was acknowledged before is a question for the rest;
		// not all servers understand it.
		if n.wire(block) != number || n.deaf && block == n.begin-1 && n.round > 1 {
			continue
		}
		n.begin = block + 1
		n.sendWindow()
		return
	}
}

func (n *network) blocks() int64 { return int64(len(n.content)/n.terms.blockSize) + 1 }

func (n *network) wire(block int64) int64 {
	if n.zero && block > 0 {
		return (block-1)%65535 + 1
	}
	return block % 65536
}

func (n *network) sendWindow() {
	for i := range int64(n.terms.window) {
		block := n.begin + i
		if block > n.blocks() {
			break
		}
		n.sendBlock(block, n.clock.Add(time.Duration(i)*n.block))
	}
	n.wait()
}

func (n *network) sendBlock(block int64, at time.Time) {
	from := int(block-1) * n.terms.blockSize
	to := min(from+n.terms.blockSize, len(n.content))
	n.travel(true, packet(opDATA, uint16(n.wire(block)), string(n.content[from:to])), at)
}
