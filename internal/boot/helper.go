package boot

import (
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
)

// Helper does the work of this process when it is not what somebody started
// but a helper of another gopxeboot: the guest, or a cleanup process. main has
// to ask before anything else.
func Helper() (status int, helper bool) {
	if guest.IsChild() {
		return Child(), true
	}
	return 0, handover.IsCleanup()
}
