package pxelinux

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Rules B9 and B10 for menu.c32 and vesamenu.c32 (H7).
func TestMenu(t *testing.T) {
	linux := func(label, kernel string, timeout time.Duration) Boot {
		return Boot{Outcome: Linux, Label: label, Timeout: timeout, Kernel: serverURL + kernel, Args: "BOOT_IMAGE=" + kernel + " "}
	}
	waits := func(b Boot) Boot { b.Waits = true; return b }
	const second = time.Second
	const labels = "LABEL a\nKERNEL ka\nLABEL b\nKERNEL kb\n"
	for _, test := range []struct {
		rule   string
		config string
		want   Boot
	}{
		{"entry 0 at the time-out", "UI menu.c32\nTIMEOUT 50\n" + labels, linux("a", "ka", 5*second)},
		{"DEFAULT that becomes the menu", "DEFAULT menu\nTIMEOUT 50\n" + labels, linux("a", "ka", 5*second)},
		{"in any directory", "DEFAULT boot/x/vesamenu.c32\nTIMEOUT 50\n" + labels, linux("a", "ka", 5*second)},
		{"by a label", "DEFAULT m\nTIMEOUT 50\n" + labels + "LABEL m\nCOM32 menu\n", linux("a", "ka", 5*second)},
		{"no TIMEOUT waits", "UI menu.c32\n" + labels, waits(linux("a", "ka", 0))},
		{"MENU DEFAULT", "UI menu.c32\nTIMEOUT 50\n" + labels + "MENU DEFAULT\n", linux("b", "kb", 5*second)},
		{"the last one", "UI menu.c32\nTIMEOUT 50\n" + labels + "MENU DEFAULT\nLABEL c\nKERNEL kc\nMENU DEFAULT\n", linux("c", "kc", 5*second)},
		{"DEFAULT with UI", "UI menu.c32\nTIMEOUT 50\nDEFAULT b\n" + labels, linux("b", "kb", 5*second)},
		{"DEFAULT with UI beats MENU DEFAULT", "UI menu.c32\nTIMEOUT 50\nDEFAULT b\nLABEL a\nKERNEL ka\nMENU DEFAULT\nLABEL b\nKERNEL kb\n", linux("b", "kb", 5*second)},
		{"not a hidden label", "UI menu.c32\nTIMEOUT 50\nDEFAULT b\nLABEL b\nMENU HIDE\nKERNEL kb\nLABEL a\nKERNEL ka\n", linux("a", "ka", 5*second)},
		{"hidden entries do not count", "UI menu.c32\nTIMEOUT 50\nLABEL h\nMENU HIDE\nKERNEL kh\n" + labels, linux("a", "ka", 5*second)},
		{"ONTIMEOUT", "UI menu.c32\nTIMEOUT 50\nONTIMEOUT b\n" + labels, linux("b", "kb", 5*second)},
		{"ONTIMEOUT, a hidden label", "UI menu.c32\nTIMEOUT 50\nONTIMEOUT h\n" + labels + "LABEL h\nMENU HIDE\nKERNEL kh\n", linux("h", "kh", 5*second)},
		{"ONTIMEOUT, no label: nothing is asked for", "UI menu.c32\nTIMEOUT 50\nONTIMEOUT k\n" + labels, linux("", "k", 5*second)},
		{"ONTIMEOUT without TIMEOUT waits", "UI menu.c32\nONTIMEOUT b\n" + labels, waits(linux("a", "ka", 0))},
		{"but TOTALTIMEOUT ends that", "UI menu.c32\nTOTALTIMEOUT 70\nONTIMEOUT b\n" + labels, linux("b", "kb", 7*second)},
		{"the shorter one", "UI menu.c32\nTIMEOUT 50\nTOTALTIMEOUT 30\n" + labels, linux("a", "ka", 3*second)},
		{"a password is ignored", "UI menu.c32\nTIMEOUT 50\nLABEL a\nKERNEL ka\nMENU PASSWD x\n", linux("a", "ka", 5*second)},
		{"MENU HIDDEN", "UI menu.c32\nMENU HIDDEN\nTIMEOUT 50\n" + labels, linux("a", "ka", 5*second)},
		{"MENU SHIFTKEY", "UI menu.c32\nMENU SHIFTKEY\nTIMEOUT 50\nONTIMEOUT b\n" + labels, linux("a", "ka", 0)},
		{"a label takes the whole line", "UI menu.c32\nTIMEOUT 50\nDEFAULT b\nLABEL a\nKERNEL ka\nLABEL b c\nKERNEL kb\n", linux("a", "ka", 5*second)},
		{"a separator first stops the time-out", "UI menu.c32\nTIMEOUT 50\nMENU SEPARATOR\n" + labels, waits(linux("a", "ka", 0))},
		{"a disabled last entry as default stops it, too", "UI menu.c32\nTIMEOUT 50\n" + labels + "MENU DEFAULT\nLABEL c\nMENU DISABLE\n", linux("b", "kb", 5*second)},
		{"a submenu's DEFAULT makes it the start", "UI menu.c32\nTIMEOUT 50\nDEFAULT s\n" + labels + "MENU BEGIN x\nTIMEOUT 20\nLABEL r\nKERNEL kr\nLABEL s\nKERNEL ks\nMENU END\n",
			linux("s", "ks", 2*second)},
		{"MENU START", "UI menu.c32\nTIMEOUT 50\n" + labels + "MENU BEGIN x\nMENU START\nLABEL r\nKERNEL kr\nMENU END\n", linux("r", "kr", 5*second)},
		{"TIMEOUT is inherited at BEGIN", "UI menu.c32\nMENU BEGIN x\nMENU START\nLABEL r\nKERNEL kr\nMENU END\nTIMEOUT 50\n", waits(linux("r", "kr", 0))},
		{"MENU DEFAULT in a submenu is the submenu's", "UI menu.c32\nTIMEOUT 50\n" + labels + "MENU BEGIN x\nLABEL r\nKERNEL kr\nMENU DEFAULT\nMENU END\n", linux("a", "ka", 5*second)},
		{"a waiting menu's highlighted submenu", "UI menu.c32\nMENU BEGIN x\nLABEL r\nKERNEL kr\nLABEL s\nKERNEL ks\nMENU DEFAULT\nMENU END\n" + labels, waits(linux("s", "ks", 0))},
		{"MENU GOTO as default", "UI menu.c32\n" + labels + "LABEL g\nMENU GOTO x\nMENU DEFAULT\nMENU BEGIN x\nLABEL r\nKERNEL kr\nMENU END\n", waits(linux("r", "kr", 0))},
		{"MENU GOTO .top", "UI menu.c32\n" + labels + "MENU BEGIN x\nMENU START\nLABEL g\nMENU GOTO .top\nMENU END\n", waits(linux("a", "ka", 0))},
		{"MENU EXIT", "UI menu.c32\n" + labels + "MENU BEGIN x\nMENU START\nLABEL g\nMENU EXIT\nMENU END\n", waits(linux("a", "ka", 0))},
		{"MENU EXIT with a tag", "UI menu.c32\n" + labels + "MENU BEGIN x\nMENU START\nLABEL g\nMENU EXIT y\nMENU END\nMENU BEGIN y\nLABEL r\nKERNEL kr\nMENU END\n", waits(linux("r", "kr", 0))},
		{"MENU INCLUDE with a tag is a submenu", "UI menu.c32\nMENU INCLUDE inc Tag\n" + labels, waits(linux("i", "ki", 0))},
		{"so is INCLUDE with one", "UI menu.c32\nINCLUDE inc Tag\n" + labels, waits(linux("i", "ki", 0))},
		{"INCLUDE without", "UI menu.c32\nTIMEOUT 50\nINCLUDE inc\n" + labels, linux("i", "ki", 5*second)},
		{"other files", "UI menu.c32 inc more\nTIMEOUT 50\n" + labels, linux("j", "kj", 3*second)},
		{"and the main one", "UI menu.c32 ~ more\nTIMEOUT 50\n" + labels, linux("a", "ka", 3*second)},
		{"TEXT HELP", "UI menu.c32\nTIMEOUT 50\nLABEL a\nKERNEL ka\nTEXT HELP\nMENU DISABLE\nENDTEXT\nLABEL b\n", linux("a", "ka", 5*second)},
	} {
		files := tree{
			"pxelinux.cfg/default": test.config,
			"inc":                  "LABEL i\nKERNEL ki\n",
			"more":                 "DEFAULT j\nUI x\nTIMEOUT 30\nLABEL j\nKERNEL kj\n",
		}
		if test.rule == "and the main one" {
			files["more"] = "TIMEOUT 30\n"
		}
		diff(t, test.rule, &test.want, files.boots(t))
	}
}

// What a menu comes to when it can't boot.
func TestMenuWithoutEnd(t *testing.T) {
	for _, test := range []struct {
		rule, config string
		want         Boot
	}{
		{"no entries", "UI menu.c32\nTIMEOUT 50\n", Boot{Outcome: Error, Waits: true, Err: errors.New("the menu has no entries")}},
		{"no entries, but an ONTIMEOUT at the prompt behind it", "UI menu.c32 empty\nTIMEOUT 50\nONTIMEOUT a\nLABEL a\nKERNEL k\n",
			Boot{Outcome: Linux, Label: "a", Timeout: 5 * time.Second, Kernel: serverURL + "k", Args: "BOOT_IMAGE=k "}},
		{"MENU QUIT", "UI menu.c32\nTIMEOUT 50\nLABEL q\nMENU QUIT\n",
			Boot{Outcome: Prompt, Waits: true, Err: errors.New("the menu waits for a key, and its highlighted entry boots nothing")}},
		{"all disabled", "UI menu.c32\nLABEL a\nMENU DISABLE\nMENU SEPARATOR\n",
			Boot{Outcome: Prompt, Waits: true, Err: errors.New("the menu waits for a key, and its highlighted entry boots nothing")}},
		{"menus that lead to each other", "UI menu.c32\nMENU BEGIN x\nLABEL g\nMENU GOTO .top\nMENU END\n",
			Boot{Outcome: Prompt, Waits: true, Err: errors.New("the menu waits for a key, and its highlighted entry boots nothing")}},
		{"a menu that starts itself", "UI menu.c32\nTIMEOUT 1\nLABEL m\nCOM32 menu.c32\n",
			Boot{Outcome: Error, Label: "m", Waits: true, Err: errors.New("label m: the configuration goes round in circles: 64 commands, and none that boots")}},
		{"IMPLICIT 0 forbids the menu, too", "IMPLICIT 0\nUI menu.c32\nLABEL a\nKERNEL k\n",
			Boot{Outcome: Error, Waits: true, Err: errors.New("menu.c32 is no label, and IMPLICIT 0 allows nothing else")}},
		{"MENU ONERROR", "UI menu.c32\nTIMEOUT 50\nMENU ONERROR b x\nLABEL a\nKERNEL\nLABEL b\nKERNEL kb\n",
			Boot{Outcome: Linux, Label: "b", Timeout: 5 * time.Second, Kernel: serverURL + "kb", Args: "BOOT_IMAGE=kb x"}},
		{"ONERROR is not the menu's", "UI menu.c32\nTIMEOUT 50\nONERROR b x\nLABEL a\nKERNEL\nLABEL b\nKERNEL kb\n",
			Boot{Outcome: Error, Label: "a", Waits: true, Err: errors.New("label a: kernel: no file named")}},
	} {
		got := tree{"pxelinux.cfg/default": test.config, "empty": " \n"}.boots(t)
		diff(t, test.rule+": why", errText(test.want.Err), errText(got.Err))
		test.want.Err, got.Err = nil, nil
		diff(t, test.rule, &test.want, got)
	}
}

// menu.c32 asks for the configuration again, with its includes; vesamenu.c32
// for its background, when it draws one.
func TestMenuRequests(t *testing.T) {
	for _, test := range []struct{ config, requests string }{
		{"UI menu.c32\nINCLUDE inc\nMENU BACKGROUND x.png\n", "pxelinux.cfg/default inc"},
		{"UI vesamenu.c32\nINCLUDE inc\nMENU BACKGROUND x.png\n", "pxelinux.cfg/default inc !x.png"},
		{"UI vesamenu.c32\nINCLUDE inc\nMENU BACKGROUND #112233\n", "pxelinux.cfg/default inc"},
		{"UI vesamenu.c32\nINCLUDE inc\nMENU SHIFTKEY\nMENU BACKGROUND x.png\n", "pxelinux.cfg/default inc"},
		{"UI vesamenu.c32 nowhere inc\nINCLUDE inc\n", "!nowhere inc"},
	} {
		c, v := tree{"pxelinux.cfg/default": test.config, "inc": "LABEL i\nKERNEL ki\n"}.find(t)
		if _, err := c.Boot(t.Context()); err != nil {
			t.Fatal(err)
		}
		diff(t, test.config, test.requests, strings.Join(v.requests, " "))
	}
}
