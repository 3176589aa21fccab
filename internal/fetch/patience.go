package fetch

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Servers remembers which servers have answered, for all files of one boot. Its
// zero value knows none.
type Servers struct{ answered sync.Map } // by host and port

func (s *Servers) know(server string) bool {
	if s == nil {
		return false
	}
	_, known := s.answered.Load(server)
	return known
}

func (s *Servers) note(server string) {
	if s != nil {
		s.answered.Store(server, true)
	}
}

// patiently asks a server again and again, as long as what comes back may pass
// and the server has answered before: then it is overloaded, or starts anew.
// The context's deadline ends that, with the server's last word.
func (c *Client) patiently(ctx context.Context, server string, ask func() error) error {
	for try := 0; ; try++ {
		err := ask()
		if err == nil || !passes(err) || !c.Servers.know(server) || ctx.Err() != nil {
			return err
		}
		var after time.Duration
		if busy, ok := errors.AsType[*busyError](err); ok {
			after = busy.after
		}
		if try == 0 {
			c.warn("%s: %v: it has answered before and is waited for", server, err)
		}
		if !wait(ctx, try, after) {
			return err
		}
	}
}

// passes says whether an error can be another one a moment later.
func passes(err error) bool {
	_, busy := errors.AsType[*busyError](err)
	return busy || isTimeout(err) || slices.ContainsFunc([]error{
		ErrTimeout, ErrNoServer, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EHOSTUNREACH,
	}, func(passing error) bool { return errors.Is(err, passing) })
}

func isTimeout(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return ok && network.Timeout()
}

// busyError is a web server's answer that it can't answer now.
type busyError struct {
	error
	after time.Duration // it wants to be asked again
}

func (e *busyError) Unwrap() error { return e.error }

// busy is nil for all other answers.
func busy(resp *http.Response, now time.Time) error {
	if gateway(resp) || resp.StatusCode == http.StatusTooManyRequests {
		return &busyError{statusError(resp), retryAfter(resp.Header, now)}
	}
	return nil
}

// gateway says whether an answer is one that proxies give for a server which
// they can't reach.
func gateway(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter is seconds or a date (RFC 9110, section 10.2.3), longest at most.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 24 * time.Hour // longer than any deadline
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longest)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longest) // Sub's largest has no room for a pause
	}
	return 0
}

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// wait gives a server time, more with each try. Up to half of it is chance, so
// that guests which came together do not come back together. It is false, at
// once, where the context would end before.
func wait(ctx context.Context, try int, after time.Duration) bool {
	pause := min(firstPause<<min(try, 10), longestPause)
	pause = after + pause/2 + rand.N(pause/2)
	if end, ok := ctx.Deadline(); ok && time.Until(end) < pause {
		return false
	}
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}
