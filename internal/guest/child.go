package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"
)

// childName is what the child's argv[0] says, and what ps shows.
const childName = "gopxeboot-guest"

// The child's descriptors, after stdin, stdout and stderr.
const (
	requestsFD = 3
	answersFD  = 4
	filesFD    = 5
)

// IsChild says whether this process is the child of another gopxeboot's
// Start. main has to ask before anything else.
func IsChild() bool { return len(os.Args) == 1 && os.Args[0] == childName }

// maxProcs bounds the threads that run at once, which a dom0 of many CPUs would
// else have many of: a boot downloads two files.
const maxProcs = 4

// Child is the child's own end.
type Child struct {
	Interface string // the guest's own, or dom0's bridge
	OwnNet    bool   // it is the guest's own

	setup    setup
	requests *os.File
	receive  *json.Decoder
	answers  *os.File
	sent     int // bytes of answers
	told     int // and values
	files    files
	results  map[int]*os.File // Spec.Files that File has returned
}

// Inside is how the child begins. It returns when the parent has plugged the
// network in.
func Inside() (*Child, error) {
	_, _ = time.Now().Zone() // reads the zone's file, which Confine takes away
	runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), maxProcs))
	c := &Child{requests: os.NewFile(requestsFD, "requests"), results: make(map[int]*os.File)}
	c.receive = json.NewDecoder(c.requests)
	c.answers = os.NewFile(answersFD, "answers")
	if err := c.receive.Decode(&c.setup); err != nil {
		return nil, fmt.Errorf("read the parent's first message: %w", err)
	}
	c.Interface, c.OwnNet = c.setup.Interface, c.setup.OwnNet
	if c.setup.Opener != 0 {
		var err error
		if c.files.conn, err = unixConn(os.NewFile(uintptr(c.setup.Opener), "opener")); err != nil {
			return nil, fmt.Errorf("the parent's socket for files: %w", err)
		}
	}
	return c, nil
}

// Receive takes the parent's next message.
func (c *Child) Receive(message any) error {
	if err := c.receive.Decode(message); err != nil {
		return err
	}
	fromText(message)
	return nil
}

// Send gives the parent a message. It is safe for one goroutine at a time. One
// that is ErrTooLarge, with those before it, is not sent.
func (c *Child) Send(message any) error {
	return c.answer(message, maxAnswers-lastAnswer, maxValues-lastValues)
}

// SendLast is Send for the last message, for which there is always room if it
// is not larger than 64 KiB.
func (c *Child) SendLast(message any) error { return c.answer(message, maxAnswers, maxValues) }

func (c *Child) answer(message any, most, mostValues int) error {
	text, err := json.Marshal(toText(message))
	if err != nil {
		return err
	}
	told := values{count: c.told}
	told.add(text)
	if c.sent+len(text)+1 > most || told.count > mostValues {
		return ErrTooLarge
	}
	c.sent, c.told = c.sent+len(text)+1, told.count
	_, err = c.answers.Write(append(text, '\n'))
	return err
}

// File is the i-th of Spec.Files: the same each time, as a second os.File of one
// descriptor would close it when the first is collected. It is not for several
// goroutines at once.
func (c *Child) File(i int) *os.File {
	if c.results[i] == nil {
		c.results[i] = os.NewFile(uintptr(filesFD+i), fmt.Sprintf("result %d", i))
	}
	return c.results[i]
}
