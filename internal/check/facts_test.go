package check

import (
	"strings"
	"testing"
)

// Facts of a child that was taken over do not keep the parent busy.
func TestBounded(t *testing.T) {
	if err := (&Facts{Offers: make([]Offer, maxList)}).Bounded(); err != nil {
		t.Error(err)
	}
	err := (&Facts{Offers: make([]Offer, maxList+1)}).Bounded()
	if err == nil || !strings.Contains(err.Error(), "4097 offers") {
		t.Errorf("got %v", err)
	}
}
