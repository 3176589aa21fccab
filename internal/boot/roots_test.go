package boot

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestRoots(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	none := x509.NewCertPool()
	dir := t.TempDir()
	missing, bundle, empty := filepath.Join(dir, "missing"), filepath.Join(dir, "bundle"), filepath.Join(dir, "empty")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := errors.Join(os.WriteFile(bundle, text, 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		bundles   []string
		otherwise *x509.CertPool
		want      *x509.CertPool
	}{
		{"the first that is there", []string{missing, bundle, empty}, none, known},
		{"one without a certificate", []string{empty, bundle}, none, known},
		{"no bundle", []string{missing}, known, known},
		{"nothing at all", nil, nil, nil},
	} {
		roots := rootsOf(test.bundles, func() (*x509.CertPool, error) { return test.otherwise, nil })
		for range 2 {
			if got := roots(); !got.Equal(test.want) {
				t.Errorf("%s: another pool", test.name)
			}
		}
	}
}
