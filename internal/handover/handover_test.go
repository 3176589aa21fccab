package handover

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// TestMain makes the test binary the cleanup process too.
func TestMain(m *testing.M) {
	if IsCleanup() {
		os.Exit(0)
	}
	labtest.Main(m)
}

func quiet() *console.Console { return console.New(&bytes.Buffer{}, console.Quiet) }

// begin is Begin without a cleanup process, in a directory of its own.
func begin(t *testing.T, spec Spec, con *console.Console) *Handover {
	t.Helper()
	h := &Handover{spec: spec, place: newPlace(t.TempDir()), con: con}
	for f, name := range map[**resultFile]string{&h.kernel: h.place.kernel, &h.ramdisk: h.place.ramdisk} {
		var err error
		if *f, err = newResult("kernel", name, 8); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*f).discard)
	}
	return h
}

// The child may claim anything: what reaches the toolstack are the parent's
// own files, and one line of arguments.
func TestHostileChild(t *testing.T) {
	for name, test := range map[string]struct {
		plan    plan.Plan
		kernel  string
		ramdisk string
		code    fault.Code
	}{
		"all right":               {plan.Plan{Boot: plan.Boot{Args: "BOOT_IMAGE=k quiet", Initrds: []string{"tftp://h/i"}}}, "k", "i", fault.Done},
		"no kernel written":       {plan.Plan{Boot: plan.Boot{Args: "a"}}, "", "", fault.NotFetched},
		"kernel too big":          {plan.Plan{Boot: plan.Boot{Args: "a"}}, "kernel too big", "", fault.NotFetched},
		"no initrd written":       {plan.Plan{Boot: plan.Boot{Args: "a", Initrds: []string{"tftp://h/i"}}}, "k", "", fault.NotFetched},
		"args end an item":        {plan.Plan{Boot: plan.Boot{Args: "a\x00kernel /etc/shadow"}}, "k", "", fault.NoOutput},
		"args end a line":         {plan.Plan{Boot: plan.Boot{Args: "a\nkernel /etc/shadow"}}, "k", "", fault.NoOutput},
		"args too long":           {plan.Plan{Boot: plan.Boot{Args: strings.Repeat("a", 2000)}}, "k", "", fault.NotBootable},
		"args without bound":      {plan.Plan{Boot: plan.Boot{Args: strings.Repeat("a", 30<<20)}}, "k", "", fault.NotBootable},
		"args begin with a blank": {plan.Plan{Boot: plan.Boot{Args: " a"}}, "k", "", fault.NoOutput},
		"file names mean nothing": {plan.Plan{Boot: plan.Boot{Args: "a", Kernel: "/etc/shadow"}}, "k", "", fault.Done},
	} {
		t.Run(name, func(t *testing.T) {
			h := begin(t, Spec{MaxKernel: 8, MaxInitrd: 8, Format: xenout.Simple0, Args: "extra"}, quiet())
			kernel, ramdisk := h.kernel, h.ramdisk
			if _, err := kernel.WriteString(test.kernel); err != nil {
				t.Fatal(err)
			}
			if _, err := ramdisk.WriteString(test.ramdisk); err != nil {
				t.Fatal(err)
			}
			result, err := h.Result(t.Context(), &test.plan)
			var answer bytes.Buffer
			if err == nil {
				if err = xenout.Write(&answer, xenout.Simple0, result); err != nil {
					err = fault.New(fault.NoOutput, "output", err, "")
				}
			}
			if fault.CodeOf(err) != test.code {
				t.Fatalf("got %v, want code %d", err, test.code)
			}
			if test.code != fault.Done {
				if answer.Len() > 0 {
					t.Errorf("answered %q", answer.String())
				}
				return
			}
			want := "kernel " + kernel.name + "\x00"
			if len(test.plan.Initrds) > 0 {
				want += "ramdisk " + ramdisk.name + "\x00"
			}
			want += "args " + test.plan.Args + " extra\x00"
			if diff := cmp.Diff(want, answer.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A PVH guest's Linux shows an installer to no one, unless it is told where.
func TestPVHConsole(t *testing.T) {
	for _, test := range []struct {
		guest      xenout.GuestType
		args, more string
		warns      bool
	}{
		{xenout.PVH, "quiet", "", true},
		{xenout.PVH, "console=ttyS0,115200 xconsole=hvc0", "", true},
		{xenout.PVH, "console=tty0 console=hvc0 quiet", "", false},
		{xenout.PVH, "quiet", "console=hvc0", false},
		{xenout.PV, "quiet", "", false},
		{"", "quiet", "", false},
	} {
		var said bytes.Buffer
		h := begin(t, Spec{MaxKernel: 8, MaxInitrd: 8, Format: xenout.Simple0, Type: test.guest, Args: test.more}, console.New(&said, console.Quiet))
		if _, err := h.kernel.WriteString("k"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Result(t.Context(), &plan.Plan{Boot: plan.Boot{Args: test.args}}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(said.String(), "console=hvc0"); got != test.warns {
			t.Errorf("%s, %q and %q: %q", test.guest, test.args, test.more, said.String())
		}
	}
}
