package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// terms are how the child may use its network. What it does there, the caller of
// Run tells it in a message of its own.
type terms struct {
	Where    string // the bridge, and VLAN, for messages
	Deadline time.Time
	AsDom0   bool     // it downloads as dom0 and asks for no lease
	Hosts    []string // that the command line names
	Reach    *Reach   // of the network, where it is dom0's
	Local    bool     // the parent opens the files of dom0's that were named
	Pcap     int      // which of the files the packet capture is, counted from 1; 0 for none
	Brief    bool     // of an answer that is too large, what boots is enough
}

// answer is one message of the child: exactly one of its fields up to Plan is
// set. Plan is the last one, and the fields behind it belong to it.
type answer struct {
	Line      *Line       `json:",omitempty"`
	Configure *configure  `json:",omitempty"`
	Resolve   string      `json:",omitempty"` // a host's name, for who downloads as dom0
	Offer     *menu.Offer `json:",omitempty"` // for the user; the next one when this one has ended
	Checked   *checked    `json:",omitempty"` // what was asked of a password
	Seen      *facts      `json:",omitempty"` // of a look, what is known so far
	Complete  bool        `json:",omitempty"` // nothing but the user is waited for
	Answer
	Facts   *facts   `json:",omitempty"` // Answer's
	Failure *failure `json:",omitempty"`
}

// facts are those of a look on their way to the parent. They say themselves what
// they are as JSON, so that package json goes through their many types only where
// there are any: at its first message it does so for all that one may hold.
type facts check.Facts

func (f *facts) MarshalJSON() ([]byte, error)    { return json.Marshal((*check.Facts)(f)) }
func (f *facts) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*check.Facts)(f)) }

// Answer is what a child found out.
type Answer struct {
	Plan      *plan.Plan   `json:",omitempty"`
	Facts     *check.Facts `json:"-"`          // of a look
	Downloads []Download   `json:",omitempty"` // of get

	// Runs is the guest's interface where it runs already, so that the child is in
	// dom0's network; nil where it does not. The parent says so.
	Runs *domain.Vif `json:"-"`
}

// Download is one file that was asked for by its URL: what `get --json`
// prints. Keys are added, never renamed.
type Download struct {
	URL         string  `json:"url"`
	File        string  `json:"file"`
	Bytes       int64   `json:"bytes"`
	Seconds     float64 `json:"seconds"`
	Protocol    string  `json:"protocol"`
	BlockSize   int     `json:"blksize"`    // TFTP's; 0 with other protocols
	WindowSize  int     `json:"windowsize"` // TFTP's; 0 with other protocols
	Retransmits int64   `json:"retransmits"`
	SHA256      string  `json:"sha256"` // of a complete file
	Error       string  `json:"error"`
}

// configure asks the parent for an address and an MTU on the child's interface.
type configure struct {
	Address netip.Prefix
	Router  netip.Addr
	MTU     int // 0 for none
}

// resolved is the parent's answer to Resolve.
type resolved struct {
	Address netip.Addr
	Error   string
}

// Line is something for a user to read.
type Line struct {
	Level    console.Level
	Warn     bool
	Text     string
	Progress *Progress `json:",omitempty"` // instead of Text
}

// Progress is how far the downloads are.
type Progress struct {
	Done, Total int64 // bytes; Total is -1 while it is not known
	Took        time.Duration
}

// Say takes the lines of a job: the child's go to the parent.
type Say func(Line)

// Print is the Say of who has a console.
func Print(con *console.Console) Say {
	return func(l Line) {
		switch {
		case l.Progress != nil:
			con.Progress(l.Progress.Done, l.Progress.Total, l.Progress.Took)
		case l.Warn:
			con.Warn(l.Text)
		case l.Level >= console.Verbose:
			con.Detail(l.Text)
		default:
			con.Stage(l.Text)
		}
	}
}

// Stage says that a stage is done, and with what result.
func (s Say) Stage(format string, args ...any) {
	s(Line{Level: console.Normal, Text: fmt.Sprintf(format, args...)})
}

// Detail says why something was done.
func (s Say) Detail(format string, args ...any) {
	s(Line{Level: console.Verbose, Text: fmt.Sprintf(format, args...)})
}

// Warn says what is wrong though it boots.
func (s Say) Warn(text string) { s(Line{Warn: true, Text: text}) }

// failure is an Error on its way from the child to the parent.
type failure struct {
	Code      fault.Code
	Stage     plan.Stage
	Text, Try string
}

func newFailure(err error) *failure {
	if err == nil {
		return nil
	}
	var e *fault.Error
	if !errors.As(err, &e) {
		e = &fault.Error{Code: fault.CodeOf(err), Stage: "boot", Err: err}
	}
	return &failure{e.Code, e.Stage, cut(e.Err.Error()), cut(e.Try)}
}

// cut keeps a line within what can always be told (guest.Child.SendLast), also
// where JSON makes six bytes of one.
func cut(text string) string {
	const most = 4 << 10
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// err is the Error again. When the parent was cancelled, that is the reason
// for whatever the child ran into. That there is no more time the child knows
// itself, and says what it had come to: how late its word gets here is a matter of
// this machine's load, and not of the boot.
func (f *failure) err(ctx context.Context) error {
	if f == nil {
		return nil
	}
	if f.Code == fault.Done { // a child that was taken over can claim anything
		f.Code = fault.Own
	}
	if cause := context.Cause(ctx); cause == nil || errors.Is(cause, context.DeadlineExceeded) {
		return fault.New(f.Code, f.Stage, errors.New(f.Text), f.Try)
	}
	return fault.In(ctx, f.Code, f.Stage, errors.New(f.Text), f.Try)
}
