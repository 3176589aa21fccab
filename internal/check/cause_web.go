package check

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// reasons are those for which a server could not be had; %s is the server.
var reasons = map[plan.Reason]struct {
	code    Code   // "" is that of the file
	summary string // "" where the reason says no more than the result
	hint    string
}{
	plan.PortClosed: {HTTPRefused, "No web server listens at %s.",
		"start the server on %s (systemctl status nginx), see its listen port and firewall, or correct host and port in the URL"},
	plan.CertExpired: {TLSExpired, "The certificate of %s is not valid today.",
		"renew the certificate on %s; if the date in it is right, set dom0's clock (chronyc makestep, timedatectl)"},
	plan.UnknownCA: {TLSUnknownCA, "The certificate of %s is signed by no authority that dom0 trusts.",
		"name the certificate of its authority with --ca FILE (or ca = \"FILE\" in /etc/gopxeboot.conf), or give the server one that dom0's authorities have signed"},
	plan.CertName: {TLSWrongName, "The certificate of %s is for another server.",
		"name the server in the URL as its certificate does, or give it a certificate for %s"},
	plan.NoTLS: {"", "%s is asked by TLS, and does not speak it.",
		"say http:// in the URL, or the port where it speaks TLS"},
	plan.Fails:    {hint: "see the error log of the web server on %s, and of the program behind it: by its answer it is at fault itself, and not the request"},
	plan.Redirect: {hint: "see where the web server sends those who ask for that URL (curl -IL), and name the URL where the file is"},
	plan.Encoding: {hint: "have the web server send the file as it is, without Content-Encoding (Apache: AddEncoding and mod_deflate, nginx: gzip and add_header)"},
	plan.Lossy:    {hint: lossHint},
	plan.Hangs:    {hint: "see the log and the load of the program that has the port on %s, and start it again: it takes connections, so the way there is not at fault"},
	plan.NoLogin:  {hint: "USER:PASSWORD@ goes before the host in the URL; or let the guests' network in without a password"},
}

// Hint is what to do about a server that could not be had for this reason; "" for
// none that is known.
func Hint(reason plan.Reason, link string) string {
	hint := reasons[reason].hint
	if reason == plan.PortClosed && !strings.HasPrefix(link, "http") {
		hint = "start the server on %s, see its firewall, or correct host and port in the URL"
	}
	return strings.ReplaceAll(hint, "%s", cmp.Or(hostOf(link), "the server"))
}

// hostOf is the server that a URL names; "" for none.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// web is a finding about the server of a file that could not be had; nil where the
// reason says no more than the result.
func web(file File) *finding {
	c := reasons[file.Reason]
	if c.summary == "" || file.Reason == plan.PortClosed && !strings.HasPrefix(file.URL, "http") {
		return nil
	}
	d := broken(fmt.Sprintf(c.summary, cmp.Or(hostOf(file.At), hostOf(file.URL), "the server")), fmt.Sprintf("the %s is to come from %s%s", file.Role, file.URL, because(file.Message)),
		Hint(file.Reason, cmp.Or(file.At, file.URL)))
	d.code = c.code
	return d
}

func configNotServed(f *Facts) *finding {
	if f.found() != nil {
		return nil
	}
	for _, t := range f.Searched() {
		if d := web(fileOf("configuration", t)); d != nil {
			return d
		}
	}
	return nil
}

func notServed(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		file := f.with(role, plan.Silent, plan.Unreachable, plan.Failed)
		if file == nil {
			return nil
		}
		return web(*file)
	}
}
