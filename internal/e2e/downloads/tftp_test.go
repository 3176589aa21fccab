package downloads

import (
	"path/filepath"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

func TestTFTPD(t *testing.T) {
	l := newLab(t)
	dir, sum := newTree(t)
	p, err := real.TFTPD(t.Context(), l.Servers, dir)
	labtest.Check(t, err)
	c := client()
	url := "tftp://" + server
	wantKernel(t, c, url+"/boot/kernel", sum)
	wantKernel(t, c, url+":69//boot/kernel", sum)
	for link, kind := range map[string]error{
		url + "/boot/missing":               fetch.ErrNotFound,
		url + "/boot/secret":                fetch.ErrRefused,
		url + "/boot":                       fetch.ErrRefused,
		"tftp://" + nobody + "/boot/kernel": nil, // silence, or a neighbour that the kernel has given up
		url + "/boot/huge":                  fetch.ErrTooBig,
	} {
		wantError(t, c, link, kind)
	}
	rate(t, c, url+"/boot/"+filepath.Base("kernel"))
	wantDeath(t, c, url+"/boot/big", p)
}
