package downloads

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// nginx serves a directory by http and https, some of it only with a password.
func nginx(t testing.TB, l *lab.Lab, dir string) (*real.Process, *x509.CertPool) {
	t.Helper()
	etc := t.TempDir()
	cert, key, authority := certificate(t)
	writeFile(t, filepath.Join(etc, "cert"), cert)
	writeFile(t, filepath.Join(etc, "key"), key)
	writeFile(t, filepath.Join(etc, "users"), "guest:{PLAIN}"+password+"\n")
	statements := fmt.Sprintf(`
		listen 443 ssl;
		ssl_certificate %[1]s/cert;
		ssl_certificate_key %[1]s/key;
		location /locked/ { alias %[2]s/boot/; auth_basic "lab"; auth_basic_user_file %[1]s/users; }
		location /forbidden/ { alias %[2]s/boot/; deny all; }
		location /moved/ { return 302 /locked/kernel; }`, etc, dir)
	return labtest.Started(t, l.Servers)(real.Nginx(t.Context(), l.Servers, dir, statements)), authority
}

// certificate makes an authority, and a certificate of its for the server.
func certificate(t testing.TB) (cert, key string, authority *x509.CertPool) {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, serverKey := newKey(), newKey()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			BasicConstraintsValid: true,
		}
	}
	ca := template(1, "the lab's authority")
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	if ca, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	authority = x509.NewCertPool()
	authority.AddCert(ca)
	leaf := template(2, "pxe")
	leaf.IPAddresses = []net.IP{net.ParseIP(server)}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, ca, serverKey.Public(), caKey); err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", private), authority
}

func TestNginx(t *testing.T) {
	l := newLab(t)
	dir, sum := newTree(t)
	p, authority := nginx(t, l, dir)
	c := client()
	unknown := x509.UnknownAuthorityError{}
	if _, _, err := download(t, c, "https://"+server+"/boot/kernel"); !errors.As(err, &unknown) {
		t.Errorf("a certificate of nobody's: %v", err)
	}
	c.RootCAs = func() *x509.CertPool { return authority }
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			url := scheme + "://" + server
			guest := scheme + "://guest:" + password + "@" + server
			wantKernel(t, c, url+"/boot/kernel", sum)
			wantKernel(t, c, guest+"/locked/kernel", sum)
			wantKernel(t, c, guest+"/moved/", sum)
			for link, kind := range map[string]error{
				url + "/boot/missing":                            fetch.ErrNotFound,
				guest + "/locked/missing":                        fetch.ErrNotFound,
				url + "/boot":                                    fetch.ErrRefused,
				url + "/boot/":                                   fetch.ErrRefused,
				url + "/forbidden/kernel":                        fetch.ErrRefused,
				guest + "/forbidden/kernel":                      fetch.ErrRefused,
				url + "/locked/kernel":                           fetch.ErrRefused,
				scheme + "://guest@" + server + "/locked/kernel": fetch.ErrRefused,
				scheme + "://guest:" + password + "!@" + server + "/locked/kernel": fetch.ErrRefused,
				scheme + "://guest:" + password + "@" + nobody + "/boot/kernel":    nil, // silence, or a neighbour that the kernel has given up
				url + "/boot/huge": fetch.ErrTooBig,
			} {
				wantError(t, c, link, kind)
			}
			wantResumed(t, c, url+"/boot/kernel", sum)
			rate(t, c, url+"/boot/big")
		})
	}
	wantChanged(t, c, "http://"+server+"/boot/kernel", filepath.Join(dir, "boot/kernel"))
	wantDeath(t, c, "http://"+server+"/boot/big", p)
}
