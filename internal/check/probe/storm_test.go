package probe

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
)

// silentConn is an interface on which nothing comes.
type silentConn struct{ closed chan struct{} }

func (c silentConn) Read([]byte) (int, error)        { <-c.closed; return 0, io.EOF }
func (c silentConn) Write(b []byte) (int, error)     { return len(b), nil }
func (c silentConn) SetReadDeadline(time.Time) error { return nil }
func (c silentConn) String() string                  { return "silence" }

// Guests that are to ask rarely are not waited for when the time is over.
func TestStormEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := silentConn{make(chan struct{})}
		defer close(c.closed)
		task := &Task{Look: Look{Wait: time.Second, Count: 3, Rate: 0.001}}
		for range task.Count {
			task.MACs = append(task.MACs, net.HardwareAddr{0, 0x16, 0x3e, 0, 0, 1})
		}
		o := &observer{task: task, facts: &check.Facts{Began: time.Now()}, conn: shareConn(c)}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		o.storm(ctx)
		if took := time.Since(began); took > 6*time.Second || o.facts.Storm == nil || o.facts.Storm.Lost != 3 {
			t.Errorf("took %v, %+v", took, o.facts.Storm)
		}
	})
}
