package domain

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfig(t *testing.T) {
	str := func(s string) value { return value{text: s} }
	list := func(values ...value) value { return value{list: append([]value{}, values...)} }
	tests := []struct {
		name string
		text string
		want config
		err  string
	}{
		{name: "nothing", text: "", want: config{}},
		{name: "blank lines, comments, semicolons", text: "\n \t# c = 1\n;;\n a = '1' # c\n#c", want: config{"a": str("1")}},
		{name: "no end of line", text: "a='1'", want: config{"a": str("1")}},
		{name: "several on a line", text: "a='1';b=\"2\" ; c=3;", want: config{"a": str("1"), "b": str("2"), "c": str("3")}},
		{name: "numbers are strings", text: "a = 0x1F\nb = 0x1f\nc = 007", want: config{"b": str("0x1f"), "c": str("007")},
			err: `line 1: unexpected "F"`},
		{name: "the last one counts", text: "a='1'\na='2'", want: config{"a": str("2")}},
		{name: "a list replaces a string", text: "a='1'\na=['2']", want: config{"a": list(str("2"))}},
		{name: "dots in names", text: "vif.default.bridge='b'", want: config{"vif.default.bridge": str("b")}},
		{name: "the other quote", text: `a='say "1"'` + "\n" + `b="it's"`, want: config{"a": str(`say "1"`), "b": str("it's")}},
		{name: "a hash in a string", text: "a='#1' # '", want: config{"a": str("#1")}},
		{name: "escapes", text: `a="\"\'\\\a\b\f\n\r\t\v"`, want: config{"a": str("\"'\\\a\b\f\n\r\t\v")}},
		{name: "escapes that xl cannot do", text: `a="\x41"` + "\n" + `b="\101"` + "\n" + `c="\q"` + "\nd='1'", want: config{"d": str("1")},
			err: `line 1: unexpected "\"\\x41\""`},
		{name: "no end between settings", text: `a="" b=''`, want: config{}, err: `line 1: unexpected "b"`},
		{name: "empty string", text: `a=""`, want: config{"a": str("")}},
		{name: "no escape for the end of line", text: "a=\"1\\\n2\"\nb='1'", want: config{"b": str("1")}, err: `line 1: unexpected "\""`},
		{name: "unterminated", text: "a='1\nb='1'", want: config{"b": str("1")}, err: `line 1: unexpected "'"`},
		{name: "empty list", text: "a=[]", want: config{"a": list()}},
		{name: "list", text: "a=['1',\"2\", 3]", want: config{"a": list(str("1"), str("2"), str("3"))}},
		{name: "list over lines", text: "a=[\n\n'1' # one\n,# two\n'2',\n\n]\nb='1'", want: config{"a": list(str("1"), str("2")), "b": str("1")}},
		{name: "list in list", text: "a=[ [ '1', ], '2' ]", want: config{"a": list(list(str("1")), str("2"))}},
		{name: "leading comma", text: "a=[,'1']\nb=1", want: config{"b": str("1")}, err: `line 1: unexpected ","`},
		{name: "two commas", text: "a=['1',,]", want: config{}, err: `line 1: unexpected ","`},
		{name: "no comma", text: "a=['1'\n'2']\nb=1", want: config{"b": str("1")}, err: `line 2: unexpected "'2'"`},
		{name: "semicolon in list", text: "a=['1';]", want: config{}, err: `line 1: unexpected ";"`},
		{name: "open list", text: "a=['1',\n", want: config{}, err: "line 2: the file ends in the middle of a setting"},
		{name: "too deep", text: "a=" + strings.Repeat("[", 30), want: config{}, err: "line 1: lists in lists, more than 20 deep"},
		{name: "plus", text: "a='1'\na+='2'\nb+='3'\nc=['1']\nc += [ '2' ]\nd=[]\nd+=[]",
			want: config{"a": str("12"), "b": str("3"), "c": list(str("1"), str("2")), "d": list()}},
		{name: "plus of unlike things", text: "a='1'\na+=['2']", want: config{"a": str("1")},
			err: "line 2: a list and a string cannot be added to each other"},
		{name: "no value", text: "a=\nb=1", want: config{"b": str("1")}, err: "line 1: a setting ends too early"},
		{name: "no name", text: "='1'", want: config{}, err: `line 1: unexpected "="`},
		{name: "no equals sign", text: "a '1'", want: config{}, err: `line 1: unexpected "'1'"`},
		{name: "capitals", text: "Name='1'", want: config{}, err: `line 1: unexpected "N"`},
		{name: "carriage returns", text: "a='1'\r\nb='1'\r\n", want: config{}, err: `line 1: unexpected "\r"`},
		{name: "no UTF-8", text: "a='\xff'\n\xff", want: config{"a": str("\xff")}, err: `line 2: unexpected "\xff"`},
		{name: "Python", text: "def f(x):\n  a='1'", want: config{"a": str("1")}, err: `line 1: unexpected "f"`},
		{name: "Python's expressions", text: "a='1' + '2'\nb=1", want: config{"b": str("1")},
			err: `line 1: unexpected "+": xl reads no Python, only name = "value" and lists`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseConfig(test.text)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(value{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != test.err {
				t.Errorf("error is %q, want %q", message, test.err)
			}
		})
	}
}

func TestParseConfigOfGuest(t *testing.T) {
	cfg, err := parseConfig(golden(t, "guest1.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	if name := cfg.text("name"); name != "guest1" {
		t.Errorf("name is %q", name)
	}
	if got := cfg.uuid(); got != uuid {
		t.Errorf("uuid is %q", got)
	}
	if extra := cfg.text("extra"); extra != `console=hvc0 title="a \ b" quiet` {
		t.Errorf("extra is %q", extra)
	}
	want := []string{"mac=00:16:3e:72:79:e3, bridge=xenbr1", "mac=00:16:3e:72:79:e4"}
	if diff := cmp.Diff(want, cfg.strings("vif")); diff != "" {
		t.Errorf("vif, -want +got:\n%s", diff)
	}
	if got := cfg.strings("vnuma"); got != nil {
		t.Errorf("vnuma holds no strings, but is %q", got)
	}
	if got := cfg.text("vif") + cfg.text("nothing"); got != "" {
		t.Errorf("a list and nothing are the string %q", got)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add("name='guest1'\nvif=['mac=00:16:3e:72:79:e3,bridge=xenbr0',]\n")
	f.Add("a+=[\n[\"1\", 2], # c\n]; b = \"\\\\\\n\"")
	f.Add("if x:\n  name = 'a' + b\n")
	f.Add("a='1\\\n'\r\n\x00=[[[")
	name := regexp.MustCompile(`^[a-z][a-z0-9_.]*$`)
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parseConfig(text)
		for key := range cfg {
			if !name.MatchString(key) {
				t.Errorf("a setting is called %q", key)
			}
		}
		if err != nil {
			return
		}
		// What xl appends from its command line overrides any good file.
		more, err := parseConfig(text + "\nname='x'\nvif=['y']\n")
		if err != nil {
			t.Fatalf("with more settings: %v", err)
		}
		if more.text("name") != "x" || len(more.strings("vif")) != 1 {
			t.Errorf("name and vif are %q and %q", more.text("name"), more.strings("vif"))
		}
	})
}

// Every string can be written so that it is read again.
func FuzzStrings(f *testing.F) {
	f.Add("guest1")
	f.Add(`it's "q" \`)
	f.Add("a\nb#;[")
	f.Fuzz(func(t *testing.T, text string) {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text)
		cfg, err := parseConfig(`a = "` + quoted + `"`)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.text("a"); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	})
}
