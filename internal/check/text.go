package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
)

// secondsText is an estimate for people.
func secondsText(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.1f s", max(s, 0.1))
	}
	return console.Took(s * 1000)
}

// list is "a", "a and b" or "a, b and c".
func list(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " and " + words[n]
	}
	return strings.Join(words, "")
}

// bootStanzas are what to write into a DHCP server's configuration so that it
// names the next-server and the boot file.
func bootStanzas(next netip.Addr, file string) []Stanza {
	server := "ADDRESS-OF-THE-TFTP-SERVER"
	if next.IsValid() {
		server = next.String()
	}
	if file == "" {
		file = "pxelinux.0"
	}
	file = inStanza(file)
	return stanzas(
		fmt.Sprintf("dhcp-boot=%s,,%s", file, server),
		fmt.Sprintf("next-server %s; filename %q;", server, file),
		fmt.Sprintf(`"next-server": %q, "boot-file-name": %q`, server, file))
}

// inStanza is a boot file that a server named, as it is to be pasted into a DHCP
// server's configuration: not where that would take it for more than a name.
func inStanza(file string) string {
	special := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`,;"'#{}`, r) }
	if strings.ContainsFunc(file, special) {
		return "BOOT-FILE"
	}
	return file
}

// stanzas has one for each of the servers that labs have.
func stanzas(dnsmasq, dhcpd, kea string) []Stanza {
	return []Stanza{{"dnsmasq", dnsmasq}, {"ISC dhcpd", dhcpd}, {"Kea", kea}}
}

// stanzaText has the lines of each, below its program's name and as they are
// pasted.
func stanzaText(list []Stanza) string {
	var b strings.Builder
	for _, s := range list {
		for i, line := range strings.Split(s.Text, "\n") {
			name := ""
			if i == 0 {
				name = s.Program + ":"
			}
			fmt.Fprintf(&b, "\n  %-10s %s", name, line)
		}
	}
	return b.String()
}

// quoteBytes is a text with each byte that is no printable ASCII as \xNN.
func quoteBytes(b []byte) string {
	var s strings.Builder
	s.WriteByte('"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			s.WriteByte('\\')
			s.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&s, `\x%02x`, c)
		default:
			s.WriteByte(c)
		}
	}
	s.WriteByte('"')
	return s.String()
}

// firstOf is the first of a list that is so; nil for none.
func firstOf[T any](list []T, is func(T) bool) *T {
	i := slices.IndexFunc(list, is)
	if i < 0 {
		return nil
	}
	return &list[i]
}
