package boot

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// Transfer is what a caller can say about how files are downloaded.
type Transfer struct {
	CA    []byte // PEM: whom https trusts beside those the system does
	Proxy string // URL of the proxy for http and https; "" is none

	Policy  verify.Policy // what files have to be
	Digests bool          // Get says the SHA-256 of what it got
}

// apply makes a client do so. Its RootCAs are the system's.
func (t Transfer) apply(c *fetch.Client) error {
	if len(t.CA) > 0 {
		if !x509.NewCertPool().AppendCertsFromPEM(t.CA) {
			return errors.New("--ca: there is no certificate in that file")
		}
		system := c.RootCAs
		c.RootCAs = sync.OnceValue(func() *x509.CertPool {
			pool := system()
			if pool == nil {
				pool = x509.NewCertPool()
			}
			pool.AppendCertsFromPEM(t.CA)
			return pool
		})
	}
	if t.Proxy != "" {
		u, err := url.Parse(t.Proxy)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("--proxy %q: want http://HOST:PORT", t.Proxy)
		}
		c.Proxy = http.ProxyURL(u)
	}
	return nil
}

// bundles is where systems keep all certificates that they trust, in one
// file. The first one that holds any counts.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Red Hat, XenServer
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem", // SUSE
	"/etc/ssl/cert.pem",      // Alpine without ca-certificates
}

// systemRoots reads whom https trusts. What it read is parsed when https is
// first used, which is seldom, and takes some milliseconds. The function it
// returns returns nil when there is none to trust; https then says so.
func systemRoots() func() *x509.CertPool {
	return rootsOf(bundles, x509.SystemCertPool)
}

func rootsOf(bundles []string, otherwise func() (*x509.CertPool, error)) func() *x509.CertPool {
	for _, file := range bundles {
		if pem, err := os.ReadFile(file); err == nil && bytes.Contains(pem, []byte("-----BEGIN CERTIFICATE-----")) {
			return sync.OnceValue(func() *x509.CertPool {
				pool := x509.NewCertPool()
				pool.AppendCertsFromPEM(pem)
				return pool
			})
		}
	}
	pool, _ := otherwise() // from a file each
	return func() *x509.CertPool { return pool }
}
