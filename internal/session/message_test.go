package session

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// Errors keep code and words on their way from the child; one that claims
// success is none.
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
