package labs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// secure has nginx serve the tree by https, too, with a certificate that signs
// itself, and returns that as PEM.
func (s *site) secure(change func(*x509.Certificate)) (cert []byte) {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	labtest.Check(s, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pxe"}, IPAddresses: []net.IP{net.ParseIP(server.String())},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	labtest.Check(s, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	labtest.Check(s, err)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.file("tls/cert", string(cert))
	s.file("tls/key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	s.nginx("listen 443 ssl; ssl_certificate " + filepath.Join(s.tree, "tls/cert") + "; ssl_certificate_key " + filepath.Join(s.tree, "tls/key") + ";")
	return cert
}

// kernelAt is a configuration whose kernel is there.
func kernelAt(url string) string {
	return "default linux\nlabel linux\n kernel " + url + "\n append initrd=initrd.img quiet\n"
}

// by has the kernel come by https from a server with such a certificate, which
// dom0 trusts or not.
func by(trusted bool, change func(*x509.Certificate)) func(*site) {
	return func(s *site) {
		s.config(kernelAt("https://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		if cert := s.secure(change); trusted {
			s.request.Transfer.CA = cert
		}
	}
}

// expired is a certificate's time, long ago.
func expired(c *x509.Certificate) {
	c.NotAfter = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	c.NotBefore = c.NotAfter.Add(-24 * time.Hour)
}

var webReports = []report{
	{fault{"the certificate has expired", check.TLSExpired, isBroken, by(true, expired)},
		[]string{"its certificate expired on 29 February 2024, 12:00 UTC", "The certificate of 192.168.1.166", "renew the certificate on 192.168.1.166", "dom0's clock"}, []string{"is up and can be reached", "--ca"}},
	{fault{"the certificate is not valid yet", check.TLSExpired, isBroken, by(true, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = c.NotAfter, c.NotAfter.Add(time.Hour) })},
		[]string{"is not valid before", "set dom0's clock"}, nil},
	{fault{"the certificate signs itself", check.TLSUnknownCA, isBroken, by(false, nil)},
		[]string{"its certificate, pxe, is signed by itself", "--ca FILE"}, []string{"is up and can be reached"}},
	{fault{"the certificate signs itself, and --ca names it", check.Fine, fine, by(true, nil)}, nil, nil},
	{fault{"the certificate is for another server", check.TLSWrongName, isBroken, by(true, func(c *x509.Certificate) {
		c.IPAddresses, c.DNSNames = nil, []string{"mirror.example"}
	})}, []string{"its certificate is for mirror.example, and not for 192.168.1.166", "name the server in the URL as its certificate does"}, nil},
	{fault{"the configuration's server has an expired certificate", check.TLSExpired, isBroken, func(s *site) {
		s.dnsmasq("--dhcp-option-force=210,https://192.168.1.166/")
		s.request.Transfer.CA = s.secure(expired)
	}}, []string{"the configuration is to come from https://192.168.1.166/", "29 February 2024"}, nil},
	{fault{"no TLS on the port", check.FileUnreachable, isBroken, func(s *site) {
		s.config(kernelAt("https://192.168.1.166:80/vmlinuz"))
		s.dnsmasq()
		s.nginx("")
	}}, []string{"does not speak TLS on that port", "say http://"}, nil},
	{fault{"no web server runs", check.HTTPRefused, isBroken, configured(kernelAt("http://192.168.1.166/vmlinuz"))},
		[]string{"No web server listens at 192.168.1.166", "192.168.1.166:80: connection refused", "systemctl status nginx"}, []string{"dial", "can be reached from"}},
	{fault{"no web server for the initrd", check.HTTPRefused, isBroken, configured("default linux\nlabel linux\n kernel vmlinuz\n initrd http://192.168.1.166:8080/initrd.img\n")},
		[]string{"192.168.1.166:8080: connection refused", "the initrd is to come from"}, nil},
	{fault{"no web server for the configuration", check.HTTPRefused, isBroken, args("--dhcp-option-force=210,http://192.168.1.166/")},
		[]string{"the configuration is to come from http://192.168.1.166/"}, nil},
	{fault{"a web server that is silent", check.FileUnreachable, isBroken, func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if const6 := byte(6); len(frame) > 40 && frame[23] == const6 {
				return nil
			}
			return [][]byte{frame}
		})
	}}, []string{"no answer from 192.168.1.166:80"}, []string{"dial", "timeout", "192.168.1.77"}},
	{fault{"a kernel that is forbidden", check.FileUnreadable, isBroken, func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		s.nginx("location /vmlinuz { deny all; }")
	}}, []string{"403 Forbidden", "see the web server's log"}, nil},
	{fault{"a kernel that wants a password", check.FileUnreadable, isBroken, func(s *site) {
		s.config(kernelAt("http://192.168.1.166/vmlinuz"))
		s.dnsmasq()
		s.file("users", "guest:{PLAIN}secret\n")
		s.nginx(`location /vmlinuz { auth_basic "lab"; auth_basic_user_file ` + filepath.Join(s.tree, "users") + `; }`)
	}}, []string{"401", "USER:PASSWORD@"}, []string{"chmod"}},
}

// named has the kernel come from a server by its name, which DNS is to know.
func named(statements ...string) func(*site) {
	return func(s *site) {
		s.config(kernelAt("http://mirror.example/vmlinuz"))
		s.dnsmasq(statements...)
		s.nginx("")
	}
}

// deadDNS is a machine that takes what it is asked, and says nothing.
func (s *site) deadDNS() string {
	s.Helper()
	h := s.host("dns", "192.168.1.9/24")
	labtest.Check(s, h.Do(func() error {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 53})
		if err == nil {
			s.Cleanup(func() { conn.Close() })
		}
		return err
	}))
	return h.Address.Addr().String()
}

const (
	serveNames = "--port=53"
	mirror     = "--host-record=mirror.example,192.168.1.166"
)

var dnsReports = []report{
	{fault{"a name that DNS knows", check.Fine, fine, named(serveNames, mirror)}, nil, nil},
	{fault{"a name, and DHCP names no DNS server", check.NoDNS, warning, named()},
		[]string{"mirror.example is a name", "the boot server 192.168.1.166 was asked in its place", "dhcp-option=option:dns-server,ADDRESS"}, nil},
	{fault{"a name, no DNS server, and no file", check.NoDNS, isBroken, func(s *site) { s.remove(kernelFile); named()(s) }},
		[]string{"option 6"}, []string{"put it there"}},
	{fault{"a name that DNS does not know", check.DNSNoAddress, isBroken, func(s *site) {
		s.remove(kernelFile)
		named(serveNames, "--local=/example/")(s)
	}}, []string{"DNS has no address of mirror.example", "192.168.1.166: no address (NameError)", "host-record=mirror.example,ADDRESS"}, []string{"put it there"}},
	{fault{"a DNS server that is silent", check.DNSSilent, warning, func(s *site) { named("--dhcp-option=option:dns-server," + s.deadDNS())(s) }},
		[]string{"The DNS server 192.168.1.9 does not answer", "mirror.example was looked up for 5.", "the boot server 192.168.1.166 was asked in its place"}, nil},
	{fault{"the first of two DNS servers is silent", check.DNSSilent, warning, func(s *site) {
		named(serveNames, mirror, "--dhcp-option=option:dns-server,"+s.deadDNS()+",192.168.1.166")(s)
	}}, []string{"The DNS server 192.168.1.9 does not answer", "another one says 192.168.1.166"}, []string{"in its place"}},
	{fault{"no DNS server on that machine", check.DNSSilent, isBroken, func(s *site) {
		s.remove(kernelFile)
		named("--dhcp-option=option:dns-server,192.168.1.166")(s)
	}}, []string{"The DNS server 192.168.1.166 does not answer", "192.168.1.166: connection refused"}, []string{"put it there", "192.168.1.166: 192.168.1.166"}},
}

// A name that leads nowhere is no fault of the server that is asked in its place.
func TestNames(t *testing.T) { testReports(t, dnsReports) }

// Each way in which a web server does not give a file has its own verdict.
func TestWeb(t *testing.T) { testReports(t, webReports) }
