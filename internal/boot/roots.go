package boot

import (
	"bytes"
	"crypto/x509"
	"os"
	"sync"
)

// bundles is where systems keep all certificates that they believe in, in one
// file. The first one that holds any counts.
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Red Hat, XenServer
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem", // SUSE
	"/etc/ssl/cert.pem",      // Alpine without ca-certificates
}

// systemRoots reads whom https believes. What it read is parsed when https is
// first used, which is seldom, and takes some milliseconds. The function it
// returns returns nil when there is nothing to believe; https then says so.
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
