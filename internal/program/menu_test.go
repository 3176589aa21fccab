package program_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// decide is what boots by a configuration where a person may be there.
func decide(t *testing.T, config string, wanted program.Wanted) (*program.Decision, error) {
	t.Helper()
	m := programtest.Configs(t, "testdata")[0].Machine
	m.Wanted = wanted
	m.NoLint = true
	files := fstest.MapFS{"pxelinux.cfg/default": {Data: []byte(config)}, "grub.cfg": {Data: []byte(config)}}
	return program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(files, m.Lease.NextServer)))
}

const labMenu = `UI menu.c32
TIMEOUT 50
MENU MASTER PASSWD master
LABEL a
  MENU LABEL ^Install
  KERNEL ka
LABEL b
  MENU LABEL a^b
  MENU PASSWD word
  KERNEL kb
MENU BEGIN more
  ALLOWOPTIONS 0
  LABEL c
    KERNEL kc
  LABEL q
    MENU QUIT
MENU END
`

func TestAsks(t *testing.T) {
	d, err := decide(t, labMenu, program.Wanted{Person: true})
	if err != nil {
		t.Fatal(err)
	}
	top := menu.Menu{Parent: -1, Edit: true, Leave: true, Locked: true, Timeout: 5 * time.Second, Entries: []menu.Entry{
		{Text: "Install", Hotkey: 'i', Kind: menu.Boots, Line: "ka"},
		{Text: "ab", Hotkey: 'b', Kind: menu.Boots, Line: "kb", Locked: true},
		{Text: "more", Kind: menu.Opens, To: 1},
	}}
	more := menu.Menu{Locked: true, Timeout: 5 * time.Second, Entries: []menu.Entry{
		{Text: "c", Kind: menu.Boots, Line: "kc"},
		{Text: "q", Kind: menu.Leaves},
	}}
	if diff := cmp.Diff(menu.Offer{Menus: []menu.Menu{top, more}}, d.Asks.Offer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		name   string
		choice menu.Choice
		label  string
		kernel string
		err    string
	}{
		{"an entry", menu.Choice{}, "a", "ka", ""},
		{"a protected one", menu.Choice{Entry: 1, Password: "word"}, "b", "kb", ""},
		{"by the menu's", menu.Choice{Entry: 1, Password: "master"}, "b", "kb", ""},
		{"without", menu.Choice{Entry: 1}, "", "", "boot: what was chosen is protected: wrong password"},
		{"edited", menu.Choice{Line: "kx y", Password: "master"}, "", "kx", ""},
		{"edited without", menu.Choice{Line: "kx y"}, "", "", "boot: what was chosen is protected: wrong password"},
		{"edited with the entry's", menu.Choice{Entry: 1, Line: "kx y", Password: "word"}, "", "", "boot: what was chosen is protected: wrong password"},
		{"typed", menu.Choice{Entry: -1, Line: "b", Password: "master"}, "b", "kb", ""},
		{"typed without", menu.Choice{Entry: -1, Line: "b", Password: "word"}, "", "", "boot: what was chosen is protected: wrong password"},
		{"a submenu's", menu.Choice{Menu: 1}, "c", "kc", ""},
		{"edited where that is not allowed", menu.Choice{Menu: 1, Line: "x", Password: "master"}, "", "", "boot: the menu does not allow that a command line is edited"},
		{"what opens a menu", menu.Choice{Entry: 2}, "", "", "boot: what was chosen is no entry that boots"},
		{"no such entry", menu.Choice{Menu: 7, Entry: 7}, "", "", "boot: what was chosen is no entry that boots"},
	} {
		got, err := d.Asks.Choose(t.Context(), c.choice)
		text := ""
		if err != nil {
			text = err.Error()
		}
		want := ""
		if c.kernel != "" {
			want = "tftp://" + programtest.Configs(t, "testdata")[0].Machine.Lease.NextServer.String() + "/" + c.kernel
		}
		if got.Boot.Label != c.label || got.Boot.Kernel != want || text != c.err {
			t.Errorf("%s: %q %q, %v", c.name, got.Boot.Label, got.Boot.Kernel, err)
		}
	}
}

// Who is not asked is not told what there is.
func TestAsksNobody(t *testing.T) {
	const prompt = "PROMPT 1\nDEFAULT a\nLABEL a\nKERNEL k\n"
	for _, c := range []struct {
		name, config string
		wanted       program.Wanted
		asks         bool
	}{
		{"a prompt", prompt, program.Wanted{Person: true}, true},
		{"nothing boots by itself", "LABEL a\nKERNEL k\n", program.Wanted{Person: true}, true},
		{"no person", prompt, program.Wanted{}, false},
		{"a label is wanted", prompt, program.Wanted{Person: true, Label: "a"}, false},
		{"boots at once", "DEFAULT a\nLABEL a\nKERNEL k\n", program.Wanted{Person: true}, false},
	} {
		d, _ := decide(t, c.config, c.wanted)
		if (d.Asks != nil) != c.asks {
			t.Errorf("%s: %+v", c.name, d.Asks)
		}
		without := c.wanted
		without.Person = false
		same, _ := decide(t, c.config, without)
		if diff := cmp.Diff([]any{same.Boot, withoutTimes(same.Config)}, []any{d.Boot, withoutTimes(d.Config)}); diff != "" {
			t.Errorf("%s: the default is another (-without +with):\n%s", c.name, diff)
		}
	}
}

func withoutTimes(c plan.Config) plan.Config {
	for i := range c.Tried {
		c.Tried[i].Millis = 0
	}
	return c
}

// Who names a label that has a password boots it where that is dom0's root, and not
// where it is a VM's administrator.
func TestLabelProtected(t *testing.T) {
	const submenu = "UI menu.c32\nLABEL a\nKERNEL ka\nMENU BEGIN more\nMENU PASSWD word\nLABEL c\nKERNEL kc\nMENU END\n"
	const superusers = "set superusers=root\nmenuentry a --unrestricted { linux /ka; }\nmenuentry b --users root { linux /kb; }\nmenuentry c { linux /kc; }\n"
	for _, c := range []struct {
		name, label, config string
		program             plan.Program
		protected           bool
	}{
		{"an entry", "a", labMenu, "", false},
		{"a protected one", "b", labMenu, "", true},
		{"a menu's without", "c", labMenu, "", false},
		{"a protected menu's", "c", submenu, "", true},
		{"beside a protected menu", "a", submenu, "", false},
		{"GRUB's for all", "a", superusers, plan.GRUB, false},
		{"GRUB's for users", "b", superusers, plan.GRUB, true},
		{"GRUB's for superusers", "c", superusers, plan.GRUB, true},
	} {
		for _, ofVM := range []bool{false, true} {
			d, err := decide(t, c.config, program.Wanted{Label: c.label, OfVM: ofVM, Program: c.program})
			if boots := err == nil && strings.HasSuffix(d.Boot.Kernel, "/k"+c.label); boots == (ofVM && c.protected) {
				t.Errorf("%s, of a VM %v: %q, %v", c.name, ofVM, d.Boot.Kernel, err)
			}
		}
	}
	_, err := decide(t, labMenu, program.Wanted{Label: "b", OfVM: true})
	if err == nil || !strings.Contains(err.Error(), "label b in tftp://10.0.0.2/pxelinux.cfg/default has a password (MENU PASSWD), and a VM's fields") || !strings.Contains(fault.In(t.Context(), fault.NotBootable, "boot", err, "see DEFAULT").Error(), "; dom0's root can") {
		t.Errorf("got %v", err)
	}
}
