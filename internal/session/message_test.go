package session

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"testing"

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
	if got := (&failure{Code: fault.Done, Text: "x"}).err(t.Context()); fault.CodeOf(got) != fault.Own {
		t.Errorf("got %v", got)
	}
	if got := (*failure)(nil).err(t.Context()); got != nil {
		t.Errorf("got %v", got)
	}
}
