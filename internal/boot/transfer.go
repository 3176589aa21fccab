package boot

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// Transfer is what a caller can say about how files are downloaded.
type Transfer struct {
	CA    []byte // PEM: whom https believes beside those the system does
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
