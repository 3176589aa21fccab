package guest_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// Of two that act as one guest, the second says so soon; when the first ends
// meanwhile, it goes on.
func TestClaim(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	for _, network := range []guest.Net{guest.Auto, guest.Own, guest.Dom0} {
		t.Run(string(network), func(t *testing.T) {
			spec := guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: network}
			first := start(t, spec)
			begin := time.Now()
			second, err := guest.Start(t.Context(), spec)
			want := fmt.Sprintf("another gopxeboot acts as this guest: process %d, %s on %s", os.Getpid(), mac, l.Bridge())
			if second != nil || !errors.Is(err, guest.ErrClaimed) || err.Error() != want {
				t.Errorf("the second: %v, want %s", err, want)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %s to say so", took)
			}
			start(t, guest.Spec{MAC: net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}, Bridge: l.Bridge(), Net: network}).Close()

			time.AfterFunc(100*time.Millisecond, func() { first.Close() })
			start(t, spec).Close()
		})
	}
}
