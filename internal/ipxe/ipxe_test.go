package ipxe

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var guest = Machine{
	MAC: net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}, Arch: "i386", Version: "1.21.1",
	UUID:         [16]byte{0x56, 0x4d, 0x1c, 0x4f, 0x0a, 0x1b, 0x4c, 0x3d, 0x8e, 0x5f, 0xa0, 0xb1, 0xc2, 0xd3, 0xe4, 0xf5},
	Manufacturer: "Xen",
	Lease: Packet{
		Address: netip.MustParseAddr("192.168.1.199"), NextServer: netip.MustParseAddr("192.168.1.2"), File: "boot.ipxe",
		Options: map[uint8][]byte{1: {255, 255, 255, 0}, 3: {192, 168, 1, 2}, 6: {192, 168, 1, 2, 192, 168, 1, 3}, 67: []byte("other"), 175: {177, 2, 1, 2}},
	},
}

const bootURL = "tftp://192.168.1.2/boot.ipxe"

// lab has the files that scripts of tests ask for, and writes down what they ask.
type lab struct {
	files map[string]string
	asked []string
}

func (l *lab) open(_ context.Context, url string) (io.ReadCloser, error) {
	name := strings.TrimPrefix(url, "tftp://192.168.1.2/")
	l.asked = append(l.asked, name)
	text, ok := l.files[name]
	switch {
	case ok:
	case strings.Contains(name, "vmlinuz"):
		text = strings.Repeat("\x00", 0x202) + "HdrS"
	case strings.HasSuffix(name, ".img"):
		text = "an initrd"
	default:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func (l *lab) run(t testing.TB, script, label string) (*Result, error) {
	t.Helper()
	if l.files == nil {
		l.files = map[string]string{}
	}
	l.files["boot.ipxe"] = "#!ipxe\n" + script
	lookup := func(_ context.Context, host string) (netip.Addr, error) {
		if host != "files.lab" {
			return netip.Addr{}, fmt.Errorf("no such host %s", host)
		}
		return netip.MustParseAddr("192.168.1.9"), nil
	}
	return Run(t.Context(), guest, Env{Open: l.open, Label: label, Lookup: lookup}, bootURL)
}

// What a word becomes, by the command line of a kernel.
func TestExpand(t *testing.T) {
	for _, c := range []struct{ set, word, want string }{
		{"", "${mac}|${net0/mac:hexhyp}|${netX/mac:hexraw}", "00:16:3e:72:79:e3|00-16-3e-72-79-e3|00163e7279e3"},
		{"", "${ip}|${netmask}|${gateway}|${dns}|${next-server}|${filename}", "192.168.1.199|255.255.255.0|192.168.1.2|192.168.1.2|192.168.1.2|boot.ipxe"},
		{"", "${ip:uint32}|${ip:int8}|${3}|${175.177:hex}", "0xc0a801c7|-1062731321|192.168.1.2|01:02"},
		{"", "${uuid}|${uuid:hexraw}", "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5|4f1c4d561b0a3d4c8e5fa0b1c2d3e4f5"},
		{"", "${platform}|${buildarch}|${builtin/version}|${smbios/manufacturer}", "pcbios|i386|1.21.1|Xen"},
		{"", "a${}b|${nope}|${mac:nope}|${nope/mac}|$x|}|${mac", "ab||||$x|}|${mac"},
		{"", "${cwuri}|${cwduri}", bootURL + "|tftp://192.168.1.2/"},
		{"set n mac", "${${n}}", "00:16:3e:72:79:e3"},
		{"set q 'a  b'", "${q}", "'a b'"},
		{"set a mac\nset o x${\nset p ${o}a}", "${p}", "xmac"},
		{"set x:int8 010", "${x}|${x:hex}", "8|08"},
		{"set x:int32 -1", "${x}|${x:uint8}", "-1|0xffffffff"},
		{"set x:hex 0a:0b", "${x}|${x:int16}|${x:hexraw}", "0a:0b|2571|0a0b"},
		{"set x:hex 0a0b ||", "${x}", ""},
		{"set esc:hex 1b", "${esc:string}[0m", "\x1b[0m"},
		{"set z:uristring a%20b", "${z}|${z:string}", "a%20b|a b"},
		{"set u a b/c", "${u:uristring}", "a%20b%2Fc"},
		{"set net0/ip 10.0.0.1", "${ip}|${net0.dhcp/ip}", "10.0.0.1|192.168.1.199"},
		{"set ip 10.0.0.1\nclear ip", "${ip}", "192.168.1.199"},
		{"set net0/foo v\nset new/bar w", "${foo}|${bar}", "v|w"},
		{"set filename x", "${filename}|${67:string}", "x|x"},
		{"inc i\ninc i 5", "${i}|${i:hex}", "6|00:00:00:06"},
		{"set s x\ninc s ||", "${s}", "x"},
		{"set s x\nset s", "${s}", ""},
		{"set b:base64 YWI=", "${b:string}", "ab"},
		{"nslookup a files.lab\nnslookup b:hex files.lab\nnslookup dns files.lab", "${a}|${b}|${a:hexraw}|${dns}", "192.168.1.9|c0:a8:01:09|c0a80109|192.168.1.9"},
		{"set a before\nnslookup a nowhere.lab ||\nnslookup a:nope files.lab ||", "${a}", "before"},
	} {
		r, err := (&lab{}).run(t, c.set+"\nboot vmlinuz "+c.word, "")
		if err != nil || r.Args != c.want {
			t.Errorf("%q, %s: %q, %v, want %q", c.set, c.word, r.Args, err, c.want)
		}
	}
}

// What a script asks for and boots, each on its own.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, script string
		files        map[string]string
		label        string
		asked        string
		want         string // outcome, command line, initrds
		err          string
	}{
		{name: "a kernel and initrds", script: "kernel vmlinuz a   b ${nope} c\ninitrd one.img\ninitrd two.img\nboot",
			asked: "vmlinuz one.img two.img", want: "linux|a b  c|one.img two.img"},
		{name: "once for one name", script: "kernel vmlinuz a\nkernel vmlinuz\nimgfetch x.img\nimgfetch x.img\nboot vmlinuz",
			asked: "vmlinuz x.img x.img", want: "linux|a|x.img x.img"},
		{name: "other kernels are initrds", script: "kernel vmlinuz\nkernel vmlinuz2\nboot vmlinuz z", asked: "vmlinuz vmlinuz2", want: "linux|z|vmlinuz2"},
		{name: "a cpio header", script: "initrd b.img /etc/b.conf mode=755 foo\nboot vmlinuz", asked: "b.img vmlinuz", want: "linux||b.img>/etc/b.conf 100755"},
		{name: "imgargs clears", script: "kernel vmlinuz a\nimgargs vmlinuz\nboot", asked: "vmlinuz", want: "linux||"},
		{name: "options", script: "kernel --name v -- vmlinuz --name x --\nboot v", asked: "vmlinuz", want: "linux|--name x --|"},
		{name: "imgfree", script: "imgfetch x.img\nimgfree\nimgfree x.img || imgstat x.img || boot vmlinuz", asked: "x.img vmlinuz", want: "linux||"},
		{name: "equal precedence", script: "isset x && isset ${n} || isset ${n} || set a 1\nisset x || isset x && set b 2\nboot vmlinuz ${a}${b}", asked: "vmlinuz", want: "linux|12|"},
		{name: "semicolons and comments", script: "isset ${n} ; set a x#y # no\n# glued \\\nset a z\nboot vmlinuz ${a}", asked: "vmlinuz", want: "linux|x#y|"},
		{name: "continuation", script: "set a o\\\r\nne\r\nboot vmlinuz ${a}", asked: "vmlinuz", want: "linux|one|"},
		{name: "goto runs the label's command", script: "goto there || set a 1\nset a 2\n  :there set b 3\nboot vmlinuz ${a}${b}", asked: "vmlinuz", want: "linux|3|"},
		{name: "goto to nowhere stays", script: "goto nowhere ||\nboot vmlinuz", asked: "vmlinuz", want: "linux||"},
		{name: "goto backwards", script: ":again\ninc i\niseq ${i} 3 || goto again\nboot vmlinuz ${i}", asked: "vmlinuz", want: "linux|3|"},
		{name: "a chained script returns", script: "chain sub/s.ipxe\nboot vmlinuz ${x}", files: map[string]string{"sub/s.ipxe": "#!ipxe\nset x 1\nimgfetch r.img\nexit 0\nset x 2"},
			asked: "sub/s.ipxe sub/r.img vmlinuz", want: "linux|1|sub/r.img sub/s.ipxe"},
		{name: "unless it is freed", script: "chain --autofree s.ipxe || set y 2\nboot vmlinuz ${x}${y}", files: map[string]string{"s.ipxe": "#!ipxe\nset x 1\nexit 7"},
			asked: "s.ipxe vmlinuz", want: "linux|12|"},
		{name: "one takes the other's place", script: "chain a.ipxe || goto e\n:e boot vmlinuz ${x}", files: map[string]string{
			"a.ipxe": "#!ipxe\nchain --replace b.ipxe\nset x no", "b.ipxe": "#!ipxe\nset x yes\nexit 1"}, asked: "a.ipxe b.ipxe vmlinuz", want: "linux|yes|b.ipxe"},
		{name: "boot with nothing selected succeeds", script: "boot || set a 1\nboot vmlinuz .${a}", asked: "vmlinuz", want: "linux|.|"},
		{name: "a menu's default", script: "menu Title\nitem --gap -- text\nitem a A\nitem b B b\nchoose --default b --timeout 5000 x\nboot vmlinuz ${x}", asked: "vmlinuz", want: "linux|b|"},
		{name: "an unknown default is the first", script: "menu\nitem\nitem a A\nitem --default b B\nchoose --default ${n} x\nboot vmlinuz ${x}", asked: "vmlinuz", want: "linux|a|"},
		{name: "item --default", script: "menu\nitem a A\nitem --default b B\nchoose x\nboot vmlinuz ${x}", asked: "vmlinuz", want: "linux|b|"},
		{name: "what is wanted", label: "b/c", script: "menu\nitem a\nitem b\nchoose x\nmenu\nitem d\nitem c\nchoose y\nboot vmlinuz ${x}${y}", asked: "vmlinuz", want: "linux|bc|"},
		{name: "or is nowhere", label: "z", script: "menu\nitem a\nchoose x\nboot vmlinuz", asked: "vmlinuz", err: `no menu item is called "z": the items are a`},
		{name: "the disk", script: "sanboot --drive 0x81 || sanboot --no-describe --drive 0x80", want: "localboot||"},
		{name: "exit", script: "exit", want: "localboot||"},
		{name: "exit 1", script: "exit 1", want: "localboot||"},
		{name: "a prompt", script: "prompt --timeout 2000 x && shell ||\nboot vmlinuz", asked: "vmlinuz", want: "linux||"},
		{name: "an unknown command", script: "\n\nkernl vmlinuz", err: bootURL + ":4: kernl vmlinuz: iPXE has no such command"},
		{name: "a missing file", script: "kernel gone", asked: "gone", err: bootURL + ":2: kernel gone: gone: file does not exist"},
		{name: "and a shell", script: "kernel gone || goto failed\n:failed\nshell", asked: "gone",
			err: bootURL + ":2: kernel gone || goto failed: gone: file does not exist; then " + bootURL + ":4: shell: is for a user at the console"},
		{name: "in a chained script", script: "chain s.ipxe", files: map[string]string{"s.ipxe": "#!ipxe\nkernel gone"}, asked: "s.ipxe gone",
			err: "tftp://192.168.1.2/s.ipxe:2: kernel gone: gone: file does not exist"},
		{name: "nothing", script: "echo hello", err: bootURL + ":2: end of the script: nothing was booted"},
		{name: "HTML", script: "chain x", files: map[string]string{"x": "<!DOCTYPE html>"}, asked: "x", err: bootURL + ":2: chain x: x is an HTML page"},
		{name: "reboot", script: "reboot || boot vmlinuz", err: bootURL + ":2: reboot || boot vmlinuz: the script asks for a reboot"},
		{name: "a disk on the network", script: "sanboot iscsi:x || boot vmlinuz", asked: "vmlinuz", want: "linux||"},
		{name: "imgverify", script: "kernel vmlinuz\nimgverify vmlinuz x.sig", asked: "vmlinuz",
			err: bootURL + ":3: imgverify vmlinuz x.sig: " + errUnverified.Error()},
		{name: "imgtrust", script: "imgtrust --permanent", err: bootURL + ":2: imgtrust --permanent: " + errUnverified.Error()},
		{name: "imgtrust --allow", script: "imgtrust --allow && boot vmlinuz", asked: "vmlinuz", want: "linux||"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &lab{files: c.files}
			r, err := l.run(t, c.script, c.label)
			if diff := cmp.Diff(strings.Fields("boot.ipxe "+c.asked), l.asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, f := range r.Initrds {
				name := strings.TrimPrefix(f.URL, "tftp://192.168.1.2/")
				if f.Path != "" {
					name += fmt.Sprintf(">%s %o", f.Path, f.Mode)
				}
				files = append(files, name)
			}
			if got := fmt.Sprintf("%s|%s|%s", r.Outcome, r.Args, strings.Join(files, " ")); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Names seen from a script's own URL.
func TestResolve(t *testing.T) {
	for _, c := range []struct{ base, name, want string }{
		{"tftp://h/boot.ipxe", "/vmlinuz", "tftp://h/vmlinuz"},
		{"tftp://h//boot.ipxe", "vmlinuz", "tftp://h/vmlinuz"},
		{"tftp://h/a/b.ipxe", "s%20p?x#y", "tftp://h/a/s%20p"},
		{"http://h/d/e/r.ipxe?q=1", "rel.bin", "http://h/d/e/rel.bin"},
		{"http://h/d/e/r.ipxe?q=1", "../x?a=b%20c", "http://h/d/x?a=b%20c"},
		{"http://h/d/e/r.ipxe", "./a/../b", "http://h/d/e/a/../b"},
		{"http://h/d/e/r.ipxe", "?n=1", "http://h/d/e/r.ipxe?n=1"},
		{"http://h/d/r.ipxe", "00:16:3e.ipxe", "http://h/d/00:16:3e.ipxe"},
		{"http://h/d/r.ipxe", "https://u:p@i/x", "https://u:p@i/x"},
	} {
		if got := parseURI(c.base).resolve(c.name).url(); got != c.want {
			t.Errorf("%s from %s is %s, want %s", c.name, c.base, got, c.want)
		}
	}
	for file, want := range map[string]string{
		"boot.ipxe": bootURL, "/boot.ipxe": "tftp://192.168.1.2//boot.ipxe", "http://x/y?z": "http://x/y?z", `C:\x#1`: `tftp://192.168.1.2/C:%5Cx%231`,
	} {
		if got := FileURL(netip.MustParseAddr("192.168.1.2"), file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
}

// A server's script ends in time and memory, whatever it says.
func TestLimits(t *testing.T) {
	long := strings.Repeat("x", 60)
	for name, script := range map[string]string{
		"round and round":   ":a\ngoto a",
		"itself":            "chain boot.ipxe",
		"giant strings":     "set a " + long + "\n:a\nset a ${a}${a}\ngoto a",
		"its own value":     "set o ${\nset a x${o}a}\n:a echo ${a}\ngoto a",
		"settings":          "set v " + long + "\n:a inc i\nset v${i} ${v}${v}${v}${v}${v}${v}${v}${v}${v}\ngoto a",
		"a value of itself": "set v:uristring %24%7Bv:string%7D\necho ${v:string}",
		"menus":             "menu\n:a item x y\ngoto a",
		"files":             ":a imgfetch x.img\ngoto a",
		"too long":          strings.Repeat("echo\n", maxScript/5),
	} {
		if _, err := (&lab{}).run(t, script, ""); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &lab{files: map[string]string{"boot.ipxe": "#!ipxe\n:a goto a ||"}}
	if _, err := Run(ctx, guest, Env{Open: l.open}, bootURL); !errors.Is(err, context.Canceled) {
		t.Errorf("after the deadline: %v", err)
	}
}

func FuzzScript(f *testing.F) {
	for _, s := range []string{"kernel vmlinuz a || goto b\n:b\nboot", "menu\nitem a b\nchoose x\nchain ${x}", "set a:hex 0a\ninc i\nshow ${${a}}\\\n", "sanboot --drive 0x80 && exit 1 ; shell",
		"params\nparam a b\nchain x##params", "chain --replace boot.ipxe", "initrd x.img y mode=7\nimgargs x.img\nimgfree x.img", "cpuid --ext 29 && imgtrust --allow"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		if r, err := (&lab{}).run(t, script, ""); err == nil && r.Outcome == "" {
			t.Error("neither an error nor anything to boot")
		}
	})
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"${a}", "${${a}}", "${net0/mac:hexhyp}", "a${", "${b:uristring}${c:int8}${175.1:hex}"} {
		f.Add(s, "v${a")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		s := newSettings(&guest)
		for _, k := range []string{"a", "b:uristring", "c:hex", "net0/d:int32"} {
			_ = s.set(k, value) // what is no value of the type is not set
		}
		work := 0
		got, err := expand(text, func(n string) string { v, _ := s.get(n); return v }, func(n int) error {
			if work += n; work > 1<<16 {
				return ErrTooMuch
			}
			return nil
		})
		if i := strings.Index(got, "${"); err == nil && i >= 0 && strings.Contains(got[i:], "}") {
			t.Errorf("%q still has a variable", got)
		}
	})
}

// params go out where the caller can send them, once, and only where a URL names
// them.
func TestParams(t *testing.T) {
	const url = "http://10.0.0.9/s"
	for _, c := range []struct {
		script string
		cannot bool
		posted string
		err    string
	}{
		{script: "params\nparam mac ${mac}\nparam a b c&=\nchain --autofree http://10.0.0.9/s##params ||\nboot vmlinuz", posted: "mac=00%3A16%3A3e%3A72%3A79%3Ae3&a=b%20c%26%3D"},
		{script: "params --name x\nparam --params x a\nchain --autofree http://10.0.0.9/s##params=x ||\nboot vmlinuz", posted: "a="},
		{script: "params\nparam a\nchain tftp://192.168.1.2/s.ipxe##params ||\nboot vmlinuz"},
		{script: "params\nparam a\nkernel http://10.0.0.9/vmlinuz##params\nboot", posted: "a=", err: ":5: boot: vmlinuz was asked for with params, which can't be done again"},
		{script: "params\nchain http://10.0.0.9/s##params", cannot: true, err: ":3: chain http://10.0.0.9/s##params: the form of its params is not sent here"},
		{script: "params\nparam --header A b", err: ":3: param --header A b: a header of params is not sent"},
		{script: "params --method PUT", err: ":2: params --method PUT: params are sent by POST, and not by PUT"},
		{script: "param a b", err: ":2: param a b: no list of parameters to add to"},
	} {
		posted := ""
		l := &lab{files: map[string]string{"boot.ipxe": "#!ipxe\n" + c.script, "s.ipxe": "#!ipxe\n"}}
		env := Env{Open: l.open, Post: func(_ context.Context, link, form string) (io.ReadCloser, error) {
			posted += form
			if link == url {
				return io.NopCloser(strings.NewReader("#!ipxe\nexit 0\n")), nil
			}
			return l.open(t.Context(), link)
		}}
		if c.cannot {
			env.Post = nil
		}
		_, err := Run(t.Context(), guest, env, bootURL)
		if posted != c.posted || (err == nil) != (c.err == "") || err != nil && err.Error() != bootURL+c.err {
			t.Errorf("%q: posted %q, %v", c.script, posted, err)
		}
	}
}

// What the caller verifies is trusted, and nothing else is run once that is demanded.
func TestTrust(t *testing.T) {
	for _, c := range []struct{ script, err string }{
		{"imgtrust --permanent\nimgverify vmlinuz s.sig\nboot vmlinuz", ""},
		{"kernel vmlinuz\nimgverify --signer a vmlinuz s.sig && boot", ""},
		{"imgverify vmlinuz2 s.sig", ":2: imgverify vmlinuz2 s.sig: tftp://192.168.1.2/vmlinuz2 is neither listed nor signed"},
		{"imgtrust\nboot vmlinuz2", ":3: boot vmlinuz2: tftp://192.168.1.2/vmlinuz2 is neither listed nor signed"},
		{"imgtrust\nchain s.ipxe", ":3: chain s.ipxe: tftp://192.168.1.2/s.ipxe is neither listed nor signed"},
		{"imgtrust\nimgtrust --allow\nboot vmlinuz2", ""},
		{"imgtrust --permanent\nimgtrust --permanent\nimgtrust --allow", ":4: imgtrust --allow: it has been permanent before"},
	} {
		l := &lab{files: map[string]string{"boot.ipxe": "#!ipxe\n" + c.script, "s.ipxe": "#!ipxe\n"}}
		_, err := Run(t.Context(), guest, Env{Open: l.open, Verified: func(url string) bool { return strings.HasSuffix(url, "/vmlinuz") }}, bootURL)
		if (err == nil) != (c.err == "") || err != nil && err.Error() != bootURL+c.err {
			t.Errorf("%q: %v", c.script, err)
		}
	}
}

// What lint says of a script, by line.
func TestLint(t *testing.T) {
	const script = `#!ipxe
failsafe:
kernl x || goto nowhere
set a 1 && goto ${a}
goto ${a} ||
sleep 10s
echo ${a} ${mac:hexhyp} ${never} ${ip:nope} ${67:string} ${net1/mac}
:there nosuch` + "\r\n"
	var got []string
	for _, f := range Lint("x.ipxe", script) {
		got = append(got, fmt.Sprintf("%d %s %s", f.Line, f.Code, f.Text))
	}
	want := []string{
		"2 ipxe-label failsafe: is no label: a label begins with a colon",
		"3 ipxe-unknown-command iPXE has no command kernl, and the script ends here",
		"3 ipxe-no-label no label is called nowhere",
		"4 ipxe-goto-variable goto ${a} ends the script where there is no such label",
		"6 ipxe-sleep sleep takes a number of seconds, and not 10s",
		"7 ipxe-never-set never is never set in this script",
		"7 ipxe-no-type ${ip:nope} is always empty: there is no type nope",
		"8 ipxe-unknown-command iPXE has no command nosuch, and the script ends here",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The head of a cpio entry, as the real iPXE writes it.
func TestHeader(t *testing.T) {
	got := string(File{Path: "/etc/b.conf", Mode: 0o100755}.Header(4))
	want := "070701" + "00000000" + "000081ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000004" + strings.Repeat("0", 32) + "0000000c" + "00000000" + "/etc/b.conf\x00\x00\x00"
	if got != want || len(got)%4 != 0 {
		t.Errorf("%q, want %q", got, want)
	}
}

// Who sets the next-server has relative names seen from there, until the script returns.
func TestMoves(t *testing.T) {
	for _, c := range []struct{ script, asked string }{
		{"set next-server 192.168.1.9\nimgfetch a ||\nimgfetch /b ||\nimgfetch http://h/c ||\nset next-server 192.168.1.9\nimgfetch d ||", "tftp://192.168.1.9/a tftp://192.168.1.9/b http://h/c tftp://192.168.1.9/d"},
		{"set next-server 192.168.1.2\nimgfetch a ||", "a"},
		{"set next-server nowhere ||\nimgfetch a ||", "a"},
		{"set next-server 192.168.1.9\nclear next-server\nimgfetch a ||", "a"},
		{"chain dir/s.ipxe\nimgfetch b ||", "dir/s.ipxe tftp://192.168.1.9/a b"},
	} {
		l := &lab{files: map[string]string{"dir/s.ipxe": "#!ipxe\nset net0/next-server 192.168.1.9\nimgfetch a ||\n"}}
		l.run(t, c.script, "")
		if got := strings.Join(l.asked[1:], " "); got != c.asked {
			t.Errorf("%q asks for %s, want %s", c.script, got, c.asked)
		}
	}
}

// The headers before a file that has a name, and before its directories.
func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		args string
		want []string // names and modes
	}{
		{"/etc/a.conf", []string{"/etc/a.conf 81a4"}},
		{"etc/a.conf mode=755 mkdir=0", []string{"etc/a.conf 81ed"}},
		{"/a/b/c/d mkdir=-1", []string{"/a 41ed", "/a/b 41ed", "/a/b/c 41ed", "/a/b/c/d 81a4"}},
		{"a//b/c mkdir=1 mode=600", []string{"a//b 41ed", "a//b/c 8180"}},
		{"/a mkdir=5", []string{"/a 81a4"}},
		{strings.Repeat("a/", 500) + "b mkdir=-1", nil},
	} {
		r, err := (&lab{}).run(t, "kernel vmlinuz\ninitrd x.img "+c.args+"\nboot", "")
		if err != nil {
			t.Fatal(err)
		}
		header := r.Initrds[0].Header(0x1234)
		if len(header)%4 != 0 || len(header) > 200<<10 {
			t.Errorf("%s: %d bytes", c.args, len(header))
		}
		var got []string
		for rest := string(header); rest != "" && c.want != nil; {
			var mode, size, length int
			if _, err := fmt.Sscanf(rest[14:], "%8x", &mode); err != nil {
				t.Fatal(err)
			}
			fmt.Sscanf(rest[54:], "%8x", &size)
			fmt.Sscanf(rest[94:], "%8x", &length)
			name := rest[110 : 110+length-1]
			if wanted := mode&0o170000 == 0o100000; (size == 0x1234) != wanted {
				t.Errorf("%s: %s has %d bytes", c.args, name, size)
			}
			got = append(got, fmt.Sprintf("%s %x", name, mode))
			rest = rest[(110+length+3)&^3:]
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.args, diff)
		}
	}
}

// What imgextract unpacks takes the place of what was packed, and is known by what it
// then is; what is not packed fails, and stays, as by iPXE.
func TestExtract(t *testing.T) {
	packed := func(text string) string {
		var b strings.Builder
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	kernel := strings.Repeat("\x00", 0x202) + "HdrS" + strings.Repeat("0123456789", 10000)
	files := map[string]string{"k.gz": packed(kernel), "a.cpio.gz": packed("070701"), "plain": "070701", "s.gz": packed("#!ipxe\nexit"), "cut.gz": packed(kernel)[:100]}
	for _, c := range []struct{ script, want, err string }{
		{"imgextract --name linux k.gz\nimgextract a.cpio.gz\nboot linux x", "k.gz unpacked|a.cpio.gz unpacked", ""},
		{"imgextract k.gz && imgstat k && boot k", "k.gz unpacked|", ""},
		{"imgextract --keep a.cpio.gz\nboot vmlinuz", "vmlinuz|a.cpio.gz a.cpio.gz unpacked", ""},
		{"imgextract plain || imgfetch plain\nboot vmlinuz", "vmlinuz|plain plain", ""},
		{"initrd a.cpio.gz\nimgextract --name i a.cpio.gz\nimgstat a.cpio.gz || imgextract i ||\nboot vmlinuz", "vmlinuz|a.cpio.gz unpacked", ""},
		{"imgextract cut.gz\nboot cut", "cut.gz unpacked|", ""},
		{"imgextract s.gz\nboot s", "", "s is neither a script nor a kernel"},
		{"imgextract a.cpio.gz b", "", "imgextract"},
		{"imgextract gone.gz", "", "gone.gz"},
	} {
		l := &lab{files: files}
		r, err := l.run(t, c.script, "")
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v", c.script, err)
			continue
		}
		unpacked := map[bool]string{true: " unpacked"}
		got := strings.TrimPrefix(r.Kernel, "tftp://192.168.1.2/") + unpacked[r.KernelGunzip] + "|"
		for i, f := range r.Initrds {
			if i > 0 {
				got += " "
			}
			got += strings.TrimPrefix(f.URL, "tftp://192.168.1.2/") + unpacked[f.Gunzip]
		}
		if err == nil && got != c.want {
			t.Errorf("%q: %s, want %s", c.script, got, c.want)
		}
	}
}
