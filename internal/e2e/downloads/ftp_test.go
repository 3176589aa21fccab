package downloads

import (
	"path/filepath"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

func TestVsftpd(t *testing.T) {
	l := newLab(t)
	dir, sum := newTree(t)
	labtest.NeedRoot(t, "vsftpd becomes another user")
	p := labtest.Started(t, l.Servers)(real.VSFTPD(t.Context(), l.Servers, dir))
	c := client()
	url := "ftp://" + server
	wantKernel(t, c, url+"/boot/kernel", sum)
	wantKernel(t, c, url+"//boot/kernel", sum)
	wantKernel(t, c, "ftp://anonymous:"+password+"@"+server+":21/boot/kernel", sum)
	if n, _, err := download(t, c, url+"/boot/a%20b%25"); n != 3 || err != nil {
		t.Errorf("a name with escapes: %d bytes, %v", n, err)
	}
	for link, kind := range map[string]error{
		url + "/boot/missing": fetch.ErrNotFound,
		url + "/boot/secret":  fetch.ErrNotFound, // 550 is both to FTP
		url + "/boot":         fetch.ErrNotFound,
		url + "/boot/":        fetch.ErrNotFound,
		url + "/boot/huge":    fetch.ErrTooBig,
		"ftp://guest:" + password + "@" + server + "/boot/kernel": fetch.ErrRefused,
		"ftp://" + nobody + "/boot/kernel":                        nil, // silence, or a neighbour that the kernel has given up
	} {
		wantError(t, c, link, kind)
	}
	wantResumed(t, c, url+"/boot/kernel", sum)
	rate(t, c, url+"/boot/big")
	wantChanged(t, c, url+"/boot/kernel", filepath.Join(dir, "boot/kernel"))
	wantDeath(t, c, url+"/boot/big", p)
}
