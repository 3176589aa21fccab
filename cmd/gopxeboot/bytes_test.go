package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
)

// What a configuration says reaches the guest byte for byte, and what a caller
// says the configuration: ISO 8859-1, as many are written in, and bytes that
// are no text at all.
func TestBytes(t *testing.T) {
	const odd = "caf\xe9 \x80\xff\xfe\xc3 caf\xc3\xa9 \xef\xbf\xbd"
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"),
		"default other\nlabel other\n kernel nothing\nlabel caf\xe9\n kernel vml\xef\n append "+odd+"\nlabel caf\xe8\n kernel nothing\n")
	writeFile(t, filepath.Join(tree, "vml\xef"), string(kernelOf("the kernel")))
	labtest.Check(t, servers["dhcpd and tftpd-hpa"](t.Context(), l.Servers, tree))

	for _, args := range [][]string{{"--label=caf\xe9"}, {"--label=other", "--kernel=vml\xef", "--args=" + odd}} {
		want := "BOOT_IMAGE=vml\xef " + odd
		if len(args) > 1 {
			want = "BOOT_IMAGE=nothing " + odd
		}
		o := gopxeboot(t, append(args, "--output-format=simple0", "--output-directory="+t.TempDir(), vif)...)
		if o.Code != 0 {
			t.Fatalf("%q: %+v", args, o)
		}
		result, err := xenread.Simple0(o.Stdout)
		labtest.Check(t, err)
		equal(t, "args", result.Args, want)
		equal(t, "the kernel", readFile(t, result.Kernel), string(kernelOf("the kernel")))
	}

	plan := func(label string) (args string, args64 *string) {
		o := gopxeboot(t, "plan", "--json", "--label="+label, vif)
		var plan struct {
			Args   string  `json:"args"`
			Args64 *string `json:"args_base64"`
		}
		if err := json.Unmarshal([]byte(o.Stdout), &plan); err != nil || o.Code != 0 {
			t.Fatalf("%v: %+v", err, o)
		}
		return plan.Args, plan.Args64
	}
	args, args64 := plan("caf\xe9")
	if want := "BOOT_IMAGE=vml\xef " + odd; args64 == nil || *args64 != base64.StdEncoding.EncodeToString([]byte(want)) || args != strings.ToValidUTF8(args, "") {
		t.Errorf("args %q, args_base64 %v", args, args64)
	}
	if args, args64 := plan("other"); args64 != nil {
		t.Errorf("%q is UTF-8, and there is args_base64", args)
	}
}

// A terminal obeys U+009B as it does ESC [, and JSON allows it.
func TestControlsInJSON(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	writeFile(t, config, "default a\nlabel a\n kernel k\n append \u009b2J\u007f\n")
	for _, args := range [][]string{{"plan", "--json", "--tree=" + filepath.Dir(config), "--config=" + config, vif}, {"lint", "--json", config}} {
		o := gopxeboot(t, args...)
		if o.Stdout == "" || strings.ContainsAny(o.Stdout, "\u009b\u007f") {
			t.Errorf("%+v", o)
		}
	}
}

// A configuration may be larger than what can be told of it: it boots, and who
// asks what is in it is told that it is too large.
func TestTooLarge(t *testing.T) {
	var many strings.Builder
	many.WriteString("default l0\n")
	for i := range 100_000 {
		fmt.Fprintf(&many, "label l%d\nkernel vmlinuz\n", i)
	}
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), many.String())
	writeFile(t, filepath.Join(tree, "vmlinuz"), string(kernelOf("the kernel")))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	if o := gopxeboot(t, "plan", "--json", vif); o.Code != 4 || !strings.Contains(lastLine(o.Stderr), "what it says is too large") {
		t.Errorf("code %d: %s", o.Code, lastLine(o.Stderr))
	}
	if o := gopxeboot(t, "-q", "--output-format=simple0", "--output-directory="+t.TempDir(), vif); o.Code != 0 || !strings.Contains(o.Stdout, "BOOT_IMAGE=vmlinuz") {
		t.Errorf("code %d: %s", o.Code, lastLine(o.Stderr))
	}
	if o := gopxeboot(t, "-q", "--label=none", "--output-format=simple0", "--output-directory="+t.TempDir(), vif); o.Code != 5 || !strings.Contains(o.Stderr, "no label is called") {
		t.Errorf("code %d: %s", o.Code, lastLine(o.Stderr))
	}
}
