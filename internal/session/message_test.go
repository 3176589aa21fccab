package session

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// Errors keep code and words on their way from the child; one that claims
// success is none.
func TestPlainly(t *testing.T) {
	late := &net.DNSError{Err: "i/o timeout", Name: "pxe", Server: "10.0.0.1:53", IsTimeout: true}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host", Name: "pxe", Server: "10.0.0.1:53", IsNotFound: true}, "there is no such name, says DNS server 10.0.0.1:53"},
		{&net.DNSError{Err: "no such host", Name: "pxe", IsNotFound: true}, "there is no such name"},
		{late, "no answer from DNS server 10.0.0.1:53"},
		{&net.DNSError{Err: "read udp 127.0.0.1:4->127.0.0.1:53: read: connection refused", Name: "pxe", Server: "127.0.0.1:53"}, "DNS server 127.0.0.1:53: connection refused"},
		{context.DeadlineExceeded, "no answer from dom0's DNS"},
		{errors.New("other"), "other"},
	} {
		if got := plainly(c.err); got.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.err, got, c.want)
		}
	}
}

// A deadline leaves a child the time to say how it ended, and nothing else does.
func TestWithGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		timed, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		later, stop := withGrace(timed, 3*time.Second)
		defer stop()
		<-later.Done()
		if took := time.Since(begin); took != 4*time.Second || context.Cause(later) != context.DeadlineExceeded {
			t.Errorf("%v after %v", context.Cause(later), took)
		}
		ended, end := context.WithCancel(t.Context())
		later, stopLater := withGrace(ended, time.Hour)
		defer stopLater()
		end()
		<-later.Done()
		if took := time.Since(begin); took != 4*time.Second || later.Err() == nil {
			t.Errorf("cancelled: %v after %v", later.Err(), took)
		}
	})
}

func TestFailure(t *testing.T) {
	text, err := json.Marshal(answer{Answer: Answer{Plan: plan.New()}, Failure: newFailure(fault.New(fault.NoConfig, "config", errors.New("nothing there"), "look"))})
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if got := a.Failure.err(t.Context()); fault.CodeOf(got) != fault.NoConfig || got.Error() != "config: nothing there; look" {
		t.Errorf("got %v", got)
	}
	// A word that comes late is the word all the same; a user's end is another matter.
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if got := (&failure{Code: fault.NoLease, Text: "no server"}).err(over); fault.CodeOf(got) != fault.NoLease {
		t.Errorf("after the deadline: %v", got)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if got := (&failure{Code: fault.NoLease, Text: "no server"}).err(ended); fault.CodeOf(got) != fault.OutOfTime {
		t.Errorf("cancelled: %v", got)
	}
	if got := (&failure{Code: fault.Done, Text: "x"}).err(t.Context()); fault.CodeOf(got) != fault.Own {
		t.Errorf("got %v", got)
	}
	if got := (*failure)(nil).err(t.Context()); got != nil {
		t.Errorf("got %v", got)
	}
}
