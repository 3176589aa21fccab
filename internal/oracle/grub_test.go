package oracle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/oracle"
)

// grubTree is where GRUB's cases are.
const grubTree = "../../testdata/grub"

// TestGRUBGolden compares the package grub with the real GRUB's answers.
func TestGRUBGolden(t *testing.T) { compareAll(t, grubTree, "GRUB", compareGRUB) }

func compareGRUB(t *testing.T, c *oracle.Case, answer *oracle.Answer) {
	t.Helper()
	ours, err := bootGRUB(t.Context(), c)
	if ours == nil {
		t.Fatal(err)
	}
	want := theirs(answer, false)
	if want.Outcome == "nothing" {
		want.Requests = nil
		for _, q := range answer.Requests {
			want.Requests = append(want.Requests, q.Result+" "+q.File)
		}
	}
	want.Requests, ours.Requests = once(want.Requests), once(ours.Requests)
	for _, d := range c.Differences {
		if err := reconcile(d, want, ours); err != nil {
			t.Errorf("differs: %s: %s: %v", d.Field, d.Value, err)
		}
	}
	if diff := cmp.Diff(*want, *ours); diff != "" {
		t.Errorf("%s\n(-GRUB +ours, whose error is %v):\n%s", c.About, err, diff)
	}
}

// once leaves out what was asked for before: GRUB opens what it finds twice, and
// files again that it was asked to test; ours remembers.
func once(requests []string) (out []string) {
	for _, q := range requests {
		if !slices.Contains(out, q) {
			out = append(out, q)
		}
	}
	return out
}

// bootGRUB does what gopxeboot does with a case, down to the files.
func bootGRUB(ctx context.Context, c *oracle.Case) (*result, error) {
	s := &server{c: c, modules: map[string]bool{}}
	g := grub.New(
		grub.Host{MAC: c.MAC, UUID: c.UUID, Address: c.IP, Server: c.Server(), BootFile: c.BootFile},
		&grub.Image{Known: true, CPU: "i386", Prefix: "/" + path.Dir(path.Dir(c.BootFile))},
		func(_ context.Context, url string) (io.ReadCloser, error) {
			data, err := s.get(url)
			if err != nil && strings.Contains(err.Error(), oracle.Empty) {
				return io.NopCloser(bytes.NewReader(nil)), nil
			}
			if err != nil {
				err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
			}
			return io.NopCloser(bytes.NewReader(data)), err
		})
	o := &result{Outcome: "nothing"}
	var choice grub.Choice
	for {
		r, err := g.Run(ctx, choice)
		o.Requests = s.requests
		if err != nil {
			return o, err
		}
		b := r.Boot
		urls := []string{b.Kernel}
		for _, i := range b.Initrds {
			urls = append(urls, i.URL)
		}
		switch b.Outcome {
		case grub.LocalBoot:
			o.Outcome, o.Waits = string(oracle.Disk), b.Waits
			return o, nil
		case grub.Multiboot:
			urls = nil
			for _, m := range b.Modules {
				urls = append(urls, m.URL)
			}
		}
		contents, complete := s.getAll(urls)
		o.Requests = s.requests
		switch {
		case !complete && len(contents) == 0:
			choice.Missing = append(choice.Missing, b.Kernel)
			continue
		case !complete:
			return o, errors.New("a ramdisk is missing")
		}
		o.Outcome, o.Waits, o.Args = string(b.Outcome), b.Waits, []string{oracle.Text([]byte(b.Args))}
		if b.Outcome == grub.Multiboot {
			o.Args = nil
			for _, m := range b.Modules {
				o.Args = append(o.Args, oracle.Text([]byte(m.Args)))
			}
		} else if len(contents) > 1 {
			ramdisk := pad(contents[1:])
			o.Ramdisk = oracle.Describe(len(ramdisk), ramdisk[:min(len(ramdisk), oracle.Head)])
		}
		return o, nil
	}
}
