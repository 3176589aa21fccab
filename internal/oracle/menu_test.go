package oracle_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/oracle"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// menuTree is where the cases are in which somebody types at menu.c32 or at the
// boot: prompt, on a serial line.
const menuTree = "../../testdata/menu"

// TestMenuReal asks the real menu.c32.
func TestMenuReal(t *testing.T) { askAgain(t, menuTree) }

// TestMenuGolden types the same keys at our menu: the same has to boot.
func TestMenuGolden(t *testing.T) { compareAll(t, menuTree, "menu.c32", compareMenu) }

func compareMenu(t *testing.T, c *oracle.Case, answer *oracle.Answer) {
	t.Helper()
	ours := result{Outcome: "nothing"}
	synctest.Test(t, func(t *testing.T) { ours = typeAt(t, c) })
	want := theirs(answer, false)
	want.Requests = nil // they are of TestGolden
	for _, d := range c.Differences {
		if err := reconcile(d, want, &ours); err != nil {
			t.Errorf("differs: %s: %s: %v", d.Field, d.Value, err)
		}
	}
	if diff := cmp.Diff(*want, ours); diff != "" {
		t.Errorf("%s\n(-menu.c32 +ours):\n%s", c.About, diff)
	}
}

// typeAt is what boots by our menu and a case's keys, a second between those that
// are not typed together.
func typeAt(t *testing.T, c *oracle.Case) (r result) {
	r.Outcome = "nothing"
	s := &server{c: c}
	h := host(c)
	m := program.Machine{
		MAC: c.MAC, Lease: dhcpclient.Lease{Address: h.Address, Router: h.Router, Routers: []netip.Addr{h.Router}, NextServer: h.Server, BootFile: h.BootFile},
		Wanted: program.Wanted{Person: true, NoLint: true},
	}
	untouched, err := program.Decide(t.Context(), m, s.open)
	if err != nil || untouched.Asks == nil {
		t.Fatalf("no menu: %v", err)
	}
	input := make(chan byte)
	var typing sync.WaitGroup
	defer typing.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	typing.Go(func() {
		for _, typed := range c.Serial {
			time.Sleep(time.Second)
			for i := range len(typed.Keys) {
				select {
				case input <- typed.Keys[i]:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	o := untouched.Asks.Offer
	first := o.Timeout
	if len(o.Menus) > 0 {
		first = o.Menus[o.Start].Timeout
	}
	for {
		terminal := console.Terminal{Input: input, Output: io.Discard, First: first, Idle: time.Minute}
		choice, err := terminal.Choose(ctx, o, untouched.Asks.Valid)
		d := untouched
		switch {
		case err == nil:
			d, err = untouched.Asks.Choose(ctx, choice)
		case errors.Is(err, menu.ErrUntouched):
			err = nil
		default:
			t.Fatal(err)
		}
		for tried := ""; err == nil && d.Boot.Kernel != tried; d, err = d.NotFound(ctx, tried) {
			tried = d.Boot.Kernel
			if contents, complete := s.getAll(append([]string{d.Boot.Kernel}, d.Boot.Initrds...)); complete {
				o := ours{result: r}
				o.take(&pxelinux.Boot{Outcome: d.Boot.Outcome, Kernel: d.Boot.Kernel, Initrds: d.Boot.Initrds, Args: d.Boot.Args}, contents)
				return o.result
			}
		}
		o, first = o.Again(choice, "it is not there"), 0
	}
}
