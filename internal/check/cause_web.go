package check

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// webCodes are the causes that web servers have of their own.
var webCodes = map[plan.Reason]struct {
	code    Code // "" is that of the file
	summary string
}{
	plan.PortClosed:  {HTTPRefused, "No web server listens at %s."},
	plan.CertExpired: {TLSExpired, "The certificate of %s is not valid today."},
	plan.UnknownCA:   {TLSUnknownCA, "The certificate of %s is signed by no authority that dom0 trusts."},
	plan.CertName:    {TLSWrongName, "The certificate of %s is for another server."},
	plan.NoTLS:       {"", "%s is asked by TLS, and does not speak it."},
}

// Hint is what to do about a server that could not be had for this reason; "" for
// none that is known.
func Hint(reason plan.Reason, link string) string {
	host := cmp.Or(hostOf(link), "the server")
	switch reason {
	case plan.PortClosed:
		if !strings.HasPrefix(link, "http") {
			return fmt.Sprintf("start the server on %s, see its firewall, or correct host and port in the URL", host)
		}
		return fmt.Sprintf("start the server on %s (systemctl status nginx), see its listen port and firewall, or correct host and port in the URL", host)
	case plan.CertExpired:
		return fmt.Sprintf("renew the certificate on %s; if the date in it is right, set dom0's clock (chronyc makestep, timedatectl)", host)
	case plan.UnknownCA:
		return "name the certificate of its authority with --ca FILE (or ca = \"FILE\" in /etc/gopxeboot.conf), or give the server one that dom0's authorities have signed"
	case plan.CertName:
		return fmt.Sprintf("name the server in the URL as its certificate does, or give it a certificate for %s", host)
	case plan.NoTLS:
		return "say http:// in the URL, or the port where it speaks TLS"
	case plan.Fails:
		return fmt.Sprintf("see the error log of the web server on %s, and of the program behind it: by its answer it is at fault itself, and not the request", host)
	case plan.Redirect:
		return "see where the web server sends those who ask for that URL (curl -IL), and name the URL where the file is"
	case plan.Encoding:
		return "have the web server send the file as it is, without Content-Encoding (Apache: AddEncoding and mod_deflate, nginx: gzip and add_header)"
	case plan.Hangs:
		return fmt.Sprintf("see the log and the load of the program that has the port on %s, and start it again: it takes connections, so the way there is not at fault", host)
	case plan.NoLogin:
		return "USER:PASSWORD@ goes before the host in the URL; or let the guests' network in without a password"
	}
	return ""
}

// hostOf is the server that a URL names; "" for none.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// web is a finding about a server that could not be had, at is where a redirect of it
// leads; nil where the reason says no more than the result.
func web(reason plan.Reason, link, at, message, what string) *finding {
	c, ok := webCodes[reason]
	if !ok || reason == plan.PortClosed && !strings.HasPrefix(link, "http") {
		return nil
	}
	d := broken(fmt.Sprintf(c.summary, cmp.Or(hostOf(at), hostOf(link), "the server")), fmt.Sprintf("%s is to come from %s%s", what, link, because(message)), Hint(reason, cmp.Or(at, link)))
	d.code = c.code
	return d
}

func configNotServed(f *Facts) *finding {
	if f.found() != nil {
		return nil
	}
	for _, t := range f.Searched() {
		if d := web(t.Reason, t.URL, t.At, t.Message, "the configuration"); d != nil {
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
		return web(file.Reason, file.URL, file.At, file.Message, "the "+role)
	}
}
