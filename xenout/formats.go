package xenout

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sxp writes what xend's sxp.Parser reads back exactly. Unquoted, a '#'
// would begin a comment and a bracket end the value; inside quotes only the
// quote and the backslash mean something. The parser decodes octal escapes
// rightly and \x ones wrongly, and takes bytes from 0x80 as they are.
// No parentheses around the whole: xend wants a list of values.
func sxp(r Result) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("linux ")
	for _, v := range r.values() {
		fmt.Fprintf(&b, "(%s '", v.field)
		for _, c := range []byte(v.text) {
			switch {
			case c == '\'' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < ' ' || c == 0x7f:
				fmt.Fprintf(&b, `\%03o`, c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteString("')")
	}
	return b.Bytes(), nil
}

// simple writes what xenopsd's parse_output_simple reads: a line of keyword,
// one blank and value. The newline that could begin a further line is
// refused by check.
func simple(r Result) ([]byte, error) {
	var b bytes.Buffer
	for _, v := range r.values() {
		fmt.Fprintf(&b, "%s %s\n", v.field, v.text)
	}
	return b.Bytes(), nil
}

// maxItem is the longest item, keyword included, that libxl's
// parse_bootloader_result keeps: its buffer is PATH_MAX*2 with a NUL. It
// drops a longer one with no more than a warning in its log.
const maxItem = 8191

// simple0 writes what libxl's parse_bootloader_result reads: keyword, blank,
// value, NUL. libxl skips all white space before a value, so one that begins
// with some would not arrive as it is.
func simple0(r Result) ([]byte, error) {
	var b bytes.Buffer
	for _, v := range r.values() {
		limit := maxItem - len(v.field) - len(" ")
		if len(v.text) > limit {
			return nil, &ValueError{Simple0, v.field, fmt.Sprintf("is %d bytes long, and libxl drops it from %d", len(v.text), limit+1)}
		}
		if strings.IndexByte(" \t\v\f", v.text[0]) >= 0 {
			return nil, &ValueError{Simple0, v.field, "begins with white space, which libxl drops"}
		}
		fmt.Fprintf(&b, "%s %s\x00", v.field, v.text)
	}
	return b.Bytes(), nil
}

// xl writes lines for an xl.cfg. In a double-quoted string its lexer
// (libxlu_cfg_l.l, xlu__cfgl_dequote) takes every byte as it is but the
// quote, the backslash and a newline; its numeric escapes are broken.
func xl(r Result) ([]byte, error) {
	quote := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	var b bytes.Buffer
	for _, v := range r.values() {
		key := v.field
		if key == "args" {
			key = "cmdline"
		}
		fmt.Fprintf(&b, "%s = \"%s\"\n", key, quote.Replace(v.text))
	}
	return b.Bytes(), nil
}

// libvirt writes the part of a domain's <os> element that says what boots.
// XML 1.0 has no way to write most control characters, or bytes that are no
// UTF-8.
func libvirt(r Result) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("<os>\n")
	for _, v := range r.values() {
		name := map[string]string{"kernel": "kernel", "ramdisk": "initrd", "args": "cmdline"}[v.field]
		fmt.Fprintf(&b, "  <%s>", name)
		if err := checkText(Libvirt, v); err != nil {
			return nil, err
		}
		for _, c := range v.text {
			if c < ' ' && c != '\t' || c == 0xfffe || c == 0xffff {
				return nil, &ValueError{Libvirt, v.field, fmt.Sprintf("holds %U, which XML cannot", c)}
			}
		}
		if err := xml.EscapeText(&b, []byte(v.text)); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "</%s>\n", name)
	}
	b.WriteString("</os>\n")
	return b.Bytes(), nil
}

// jsonObject writes all three keys, so that a reader need not ask which are
// there.
func jsonObject(r Result) ([]byte, error) {
	for _, v := range r.values() {
		if err := checkText(JSON, v); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Kernel  string `json:"kernel"`
		Ramdisk string `json:"ramdisk"`
		Args    string `json:"args"`
	}{r.Kernel, r.Ramdisk, r.Args})
	return b.Bytes(), err
}

// shell writes assignments that a POSIX shell may eval. Single quotes keep
// every byte but their own. All three are set, so that nothing is left over
// from an earlier eval.
func shell(r Result) ([]byte, error) {
	return fmt.Appendf(nil, "KERNEL=%s\nRAMDISK=%s\nARGS=%s\n", shellWord(r.Kernel), shellWord(r.Ramdisk), shellWord(r.Args)), nil
}

func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// xe writes a command for dom0's shell. XAPI's database has UTF-8 only. People
// paste it, too, and a terminal acts on control characters whatever quotes are
// around them: a tab completes, ESC begins a command.
func xe(r Result) ([]byte, error) {
	if !uuidText.MatchString(r.VM) {
		return nil, &ValueError{XE, "vm", fmt.Sprintf("%q is no uuid", r.VM)}
	}
	for _, v := range r.values() {
		if err := checkText(XE, v); err != nil {
			return nil, err
		}
		if i := strings.IndexFunc(v.text, unicode.IsControl); i >= 0 {
			c, _ := utf8.DecodeRuneInString(v.text[i:])
			return nil, &ValueError{XE, v.field, fmt.Sprintf("holds %U, a control character", c)}
		}
	}
	var b bytes.Buffer
	b.WriteString("xe vm-param-set uuid=" + r.VM)
	for _, f := range r.XAPIFields() {
		b.WriteString(" " + f.Name + "=" + shellWord(f.Value))
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

var uuidText = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// An XAPIField is a parameter of a VM in XAPI's database.
type XAPIField struct{ Name, Value string }

// XAPIFields are what makes XAPI boot the result without a bootloader. The
// bootloader comes last: as long as there is one, the others mean nothing
// (xapi's helpers.ml, boot_method_of_vm).
func (r Result) XAPIFields() []XAPIField {
	return []XAPIField{{"PV-kernel", r.Kernel}, {"PV-ramdisk", r.Ramdisk}, {"PV-args", r.Args}, {"PV-bootloader", ""}}
}

// checkText refuses bytes that a format made of characters would replace.
func checkText(f Format, v value) error {
	if !utf8.ValidString(v.text) {
		return &ValueError{f, v.field, "is not UTF-8"}
	}
	return nil
}
