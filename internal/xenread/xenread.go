// Package xenread is the other end of package xenout, for tests: the programs
// that read a bootloader's answer, made anew from the rules of their parsers.
// What they only warn of is an error here.
package xenread

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// Readers holds each format's reader.
var Readers = map[xenout.Format]func(answer string) (xenout.Result, error){
	xenout.SXP:     SXP,
	xenout.Simple:  Simple,
	xenout.Simple0: Simple0,
	xenout.XL:      XL,
	xenout.Libvirt: Libvirt,
	xenout.JSON:    JSON,
	xenout.Shell:   Shell,
}

const cSpace = " \t\n\v\f\r" // isspace in the C locale, and Python's

// Simple0 is libxl's parse_bootloader_result (libxl_bootloader.c).
func Simple0(answer string) (r xenout.Result, err error) {
	for item := range strings.SplitSeq(answer, "\x00") {
		if len(item) >= 4096*2 {
			return r, errors.New("overly long item")
		}
		if item == "" {
			continue
		}
		end := strings.IndexAny(item+" ", cSpace)
		to, value := field(&r, item[:end], "args"), strings.TrimLeft(item[end:], cSpace)
		if to == nil || value == "" {
			return r, fmt.Errorf("unexpected output %q", item)
		}
		*to = value
	}
	return r, nil
}

// field is where a name's value goes; nil for a name that there is not.
func field(r *xenout.Result, name, args string) *string {
	return map[string]*string{"kernel": &r.Kernel, "ramdisk": &r.Ramdisk, args: &r.Args}[name]
}

// Simple is xenopsd's parse_output_simple and sanity_check_path
// (bootloader.ml).
func Simple(answer string) (r xenout.Result, err error) {
	seen := make(map[string]bool)
	for line := range strings.SplitSeq(answer, "\n") {
		keyword, value, ok := strings.Cut(line, " ")
		if !ok || keyword == "" {
			continue
		}
		if seen[keyword] {
			return r, fmt.Errorf("more than one %s line", keyword)
		}
		seen[keyword] = true
		to := field(&r, keyword, "args")
		if to == nil {
			return r, fmt.Errorf("unrecognised start of line %q", line)
		}
		*to = value
	}
	if !seen["kernel"] {
		return r, errors.New("no kernel found")
	}
	return r, errors.Join(sanityCheckPath(r.Kernel), sanityCheckPath(r.Ramdisk))
}

func sanityCheckPath(p string) error {
	if p == "" {
		return nil
	}
	if p[0] != '/' {
		return fmt.Errorf("relative path %q", p)
	}
	switch path.Dir(path.Clean(p)) {
	case "/var/run/xen/pygrub", "/var/run/xend/boot":
		return nil
	}
	return fmt.Errorf("malicious guest? %q", p)
}

// SXP is xend's sxp.Parser (sxp.py), then what
// XendConfig.update_with_image_sxp takes from the values: the first child of
// each name, and its first atom. Platform keys, which it would take too, are
// an error here.
func SXP(answer string) (r xenout.Result, err error) {
	p := &sxpParser{in: answer}
	var values []any
	for p.skip() {
		value, err := p.value()
		if err != nil {
			return r, err
		}
		values = append(values, value)
	}
	if len(values) == 0 || values[0] != "linux" {
		return r, fmt.Errorf("does not begin with linux: %q", values)
	}
	seen := make(map[string]bool)
	for _, value := range values[1:] {
		list, ok := value.([]any)
		if !ok || len(list) != 2 {
			return r, fmt.Errorf("not a name with a value: %q", value)
		}
		name, _ := list[0].(string)
		atom, ok := list[1].(string)
		if seen[name] || !ok {
			return r, fmt.Errorf("%q twice, or its value a list", name)
		}
		seen[name] = true
		to := field(&r, name, "args")
		if to == nil {
			return r, fmt.Errorf("platform key %q", name)
		}
		*to = atom
	}
	return r, nil
}

type sxpParser struct{ in string }

// skip goes to the next value, over blanks and comments, and says whether
// there is one; EOT ends the input.
func (p *sxpParser) skip() bool {
	for {
		p.in = strings.TrimLeft(p.in, cSpace)
		if !strings.HasPrefix(p.in, "#") {
			return p.in != "" && p.in[0] != 4
		}
		_, p.in, _ = strings.Cut(p.in, "\n")
	}
}

func (p *sxpParser) value() (any, error) {
	switch c := p.in[0]; {
	case c == '(':
		p.in = p.in[1:]
		list := []any{}
		for p.skip() {
			if p.in[0] == ')' {
				p.in = p.in[1:]
				return list, nil
			}
			value, err := p.value()
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return nil, errors.New("unexpected EOF")
	case c == '\'' || c == '"':
		return p.quoted(c)
	case strings.IndexByte("{}()<>[];", c) >= 0:
		return nil, fmt.Errorf("syntax error: %c", c)
	}
	end := strings.IndexAny(p.in+" ", cSpace+"{}()<>[];#")
	atom := p.in[:end]
	for _, c := range []byte(atom) {
		if c < ' ' || c > '~' {
			return nil, fmt.Errorf("invalid character %q", c)
		}
	}
	p.in = p.in[end:]
	return atom, nil
}

func (p *sxpParser) quoted(delimiter byte) (any, error) {
	var b strings.Builder
	for i := 1; i < len(p.in); i++ {
		switch c := p.in[i]; {
		case c == delimiter:
			p.in = p.in[i+1:]
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
		default:
			i++
			if i == len(p.in) {
				return nil, errors.New("unexpected EOF")
			}
			if at := strings.IndexByte(`abtnvfr\'"`, p.in[i]); at >= 0 {
				b.WriteByte("\a\b\t\n\v\f\r\\'\""[at])
			} else if c := p.in[i]; c >= '0' && c <= '7' {
				octal := 0
				end := i + 3
				for ; i < end && i < len(p.in) && p.in[i] >= '0' && p.in[i] <= '7'; i++ {
					octal = octal*8 + int(p.in[i]-'0')
				}
				i--
				if octal > 0377 {
					return nil, errors.New("octal escape over 0377")
				}
				b.WriteByte(byte(octal))
			} else {
				b.WriteByte('\\') // an unknown escape loses its letter
			}
		}
	}
	return nil, errors.New("unexpected EOF")
}

// XL is xl's configuration lexer and xlu__cfgl_dequote
// (libxlu_cfg_l.l, libxlu_cfg.c), for lines of one assignment.
func XL(answer string) (r xenout.Result, err error) {
	if strings.Contains(answer, "\x00") {
		return r, errors.New("a NUL fails an assertion")
	}
	assignment := regexp.MustCompile(`(?s)^([a-z][_0-9a-z]*)[ \t]*=[ \t]*(?:'((?:[^'\\\n]|\\[^\n])*)'|"((?:[^"\\\n]|\\[^\n])*)")\n`)
	for answer != "" {
		m := assignment.FindStringSubmatch(answer)
		if m == nil {
			return r, fmt.Errorf("config parsing error near %.20q", answer)
		}
		answer = answer[len(m[0]):]
		value, err := xlDequote(m[2] + m[3])
		if err != nil {
			return r, err
		}
		to := field(&r, m[1], "cmdline")
		if to == nil {
			return r, fmt.Errorf("unknown setting %q", m[1])
		}
		*to = value
	}
	return r, nil
}

func xlDequote(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		at := strings.IndexByte(`"'\abfnrtv`, s[i])
		if at < 0 {
			return "", fmt.Errorf("escape \\%c does not work", s[i])
		}
		b.WriteByte("\"'\\\a\b\f\n\r\t\v"[at])
	}
	return b.String(), nil
}

// Libvirt reads one <os> element with nothing in it but what boots.
func Libvirt(answer string) (xenout.Result, error) {
	var os struct {
		XMLName xml.Name `xml:"os"`
		Kernel  string   `xml:"kernel"`
		Initrd  string   `xml:"initrd"`
		Cmdline string   `xml:"cmdline"`
		Rest    []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	decoder := xml.NewDecoder(strings.NewReader(answer))
	err := decoder.Decode(&os)
	if err == nil && len(os.Rest) > 0 {
		err = fmt.Errorf("further elements: %v", os.Rest)
	}
	if rest := strings.TrimSpace(answer[decoder.InputOffset():]); err == nil && rest != "" {
		err = fmt.Errorf("%q after the element", rest)
	}
	return xenout.Result{Kernel: os.Kernel, Ramdisk: os.Initrd, Args: os.Cmdline}, err
}

// JSON reads one object with three keys.
func JSON(answer string) (r xenout.Result, err error) {
	values := make(map[string]string)
	decoder := json.NewDecoder(bytes.NewReader([]byte(answer)))
	err = decoder.Decode(&values)
	if err == nil && (len(values) != 3 || decoder.More()) {
		err = fmt.Errorf("not one object with three keys: %s", answer)
	}
	return xenout.Result{Kernel: values["kernel"], Ramdisk: values["ramdisk"], Args: values["args"]}, err
}

// Shell is POSIX's reading of an assignment made of single-quoted
// strings and backslash-escaped quotes; anything else is an error.
// Package xenout's TestShellIsSafe asks a real shell.
func Shell(answer string) (r xenout.Result, err error) {
	for _, variable := range []struct {
		name  string
		value *string
	}{{"KERNEL=", &r.Kernel}, {"RAMDISK=", &r.Ramdisk}, {"ARGS=", &r.Args}} {
		rest, ok := strings.CutPrefix(answer, variable.name)
		for ok && !strings.HasPrefix(rest, "\n") {
			var part string
			if escaped, isQuote := strings.CutPrefix(rest, `\'`); isQuote {
				part, rest = "'", escaped
			} else if rest, ok = strings.CutPrefix(rest, "'"); ok {
				part, rest, ok = strings.Cut(rest, "'")
			}
			*variable.value += part
		}
		if !ok {
			return r, fmt.Errorf("not an assignment to %s %.40q", variable.name, answer)
		}
		answer = rest[1:]
	}
	if answer != "" {
		err = fmt.Errorf("%q after the assignments", answer)
	}
	return r, err
}
