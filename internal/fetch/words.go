package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// networkError says for people what packages net, net/http and crypto/tls say
// for programmers. Errors.Is and As find what it was made of.
type networkError struct {
	text string
	kind error // one of fetch's own; nil for none
	err  error // nil for a timeout: package context's would look like the caller's
}

func (e *networkError) Error() string { return e.text }

func (e *networkError) Unwrap() []error {
	switch {
	case e.kind == nil:
		return []error{e.err}
	case e.err == nil:
		return []error{e.kind}
	}
	return []error{e.kind, e.err}
}

// Timeout and Temporary make it a net.Error, which callers of a net.Conn look for.
func (e *networkError) Timeout() bool   { return errors.Is(e.kind, ErrTimeout) }
func (e *networkError) Temporary() bool { return e.Timeout() }

// inWords is an error of that server's, or of the network on the way there.
func inWords(err error, server string) error {
	in := func(kind error, format string, args ...any) error {
		return &networkError{fmt.Sprintf(format, args...), kind, err}
	}
	if err == nil {
		return nil
	}
	if proxy, ok := errors.AsType[*net.OpError](err); ok && proxy.Op == "proxyconnect" {
		return in(nil, "the proxy: %v", inWords(proxy.Err, server))
	}
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "net/http: "), "http: ")
	if said, ok := errors.AsType[*networkError](err); ok {
		if strings.HasPrefix(text, "Transport failed to read") {
			return said
		}
		return err
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		text, kind := certificateText(e, time.Now())
		return in(kind, "%s: %s", server, text)
	}
	network, isNetwork := errors.AsType[*net.OpError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	code, isCode := errors.AsType[syscall.Errno](err)
	alert, isAlert := errors.AsType[tls.AlertError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case isTimeout(err):
		return &networkError{"no answer from " + server, ErrTimeout, nil}
	case isCode && code == syscall.ECONNREFUSED:
		return in(ErrPortClosed, "%s: connection refused", server)
	case isCode && isNetwork:
		return in(nil, "%s: %v", server, code)
	case isRecord, strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return in(ErrNoTLS, "%s does not speak TLS on that port", server)
	case isAlert:
		return in(nil, "%s refuses TLS: %s", server, strings.TrimPrefix(alert.Error(), "tls: "))
	case errors.Is(err, io.EOF) && !isNetwork, strings.Contains(text, "server closed idle connection"):
		return in(nil, "%s hung up without an answer", server)
	case errors.Is(err, io.ErrUnexpectedEOF) && !isNetwork:
		return in(nil, "%s hung up in the middle of its answer", server)
	case strings.Contains(text, "malformed HTTP"), strings.HasPrefix(text, "HTTP/1.x transport connection broken: "):
		return in(nil, "%s answers what is no HTTP: %s", server, printable.Line(strings.TrimPrefix(text, "HTTP/1.x transport connection broken: "), maxMessage))
	case isNetwork && network.Err != nil:
		return in(nil, "%s: %v", server, network.Err)
	case text != err.Error():
		return in(nil, "%s: %s", server, printable.Line(text, maxMessage))
	}
	return err
}

// inWordsOf is inWords for a server that took a connection.
func inWordsOf(err error, server string) error {
	if _, said := errors.AsType[*networkError](err); err == nil || said || errors.Is(err, context.Canceled) || !isTimeout(err) {
		return inWords(err, server)
	}
	return &networkError{fmt.Sprintf("%s takes the connection, and then says nothing", server), ErrHangs, nil}
}

// certificateText says what is wrong with a server's certificate.
func certificateText(e *tls.CertificateVerificationError, now time.Time) (text string, kind error) {
	var leaf *x509.Certificate
	if len(e.UnverifiedCertificates) > 0 {
		leaf = e.UnverifiedCertificates[0]
	}
	const date = "2 January 2006, 15:04 MST"
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](e.Err); ok && invalid.Reason == x509.Expired && invalid.Cert != nil {
		whose := "its certificate"
		if invalid.Cert != leaf && (leaf == nil || !invalid.Cert.Equal(leaf)) {
			whose = fmt.Sprintf("the certificate of its authority %s", nameOf(invalid.Cert))
		}
		until, verb := invalid.Cert.NotAfter, "expired on"
		if now.Before(invalid.Cert.NotBefore) {
			until, verb = invalid.Cert.NotBefore, "is not valid before"
		}
		return fmt.Sprintf("%s %s %s, and dom0's clock says %s", whose, verb, until.UTC().Format(date), now.UTC().Format(date)), ErrCertExpired
	}
	if other, ok := errors.AsType[x509.HostnameError](e.Err); ok {
		return fmt.Sprintf("its certificate is for %s, and not for %s", namesOf(other.Certificate), printable.Line(other.Host, maxMessage)), ErrCertName
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](e.Err); ok {
		switch {
		case leaf == nil:
			return "its certificate is signed by no authority that is trusted", ErrUnknownCA
		case leaf.Issuer.String() == leaf.Subject.String():
			return fmt.Sprintf("its certificate, %s, is signed by itself and by no authority that is trusted", nameOf(leaf)), ErrUnknownCA
		}
		return fmt.Sprintf("its certificate is signed by %s, which is not trusted", printable.Line(cmp.Or(leaf.Issuer.CommonName, leaf.Issuer.String()), maxMessage)), ErrUnknownCA
	}
	return "its certificate can't be verified: " + printable.Line(strings.TrimPrefix(e.Err.Error(), "x509: "), maxMessage), nil
}

func nameOf(c *x509.Certificate) string {
	return printable.Line(cmp.Or(c.Subject.CommonName, c.Subject.String(), "without a name"), maxMessage)
}

// namesOf are the servers that a certificate is for, a few of them.
func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, a := range c.IPAddresses {
		names = append(names, a.String())
	}
	const most = 4
	switch {
	case len(names) == 0:
		return "no server's name (it has no subjectAltName)"
	case len(names) > most:
		names = append(names[:most:most], "...")
	}
	return printable.Line(strings.Join(names, ", "), maxMessage)
}
