package downloads

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// vsftpd serves a directory to the anonymous.
func vsftpd(t testing.TB, l *lab.Lab, dir string) *lab.Process {
	t.Helper()
	labtest.NeedRoot(t, "vsftpd becomes another user")
	conf := writeFile(t, filepath.Join(t.TempDir(), "vsftpd.conf"), fmt.Sprintf(`
listen=YES
background=NO
anonymous_enable=YES
anon_root=%s
ftp_username=daemon
nopriv_user=daemon
secure_chroot_dir=%s
local_enable=NO
connect_from_port_20=NO
xferlog_enable=NO
seccomp_sandbox=NO
`, dir, t.TempDir()))
	server, err := lab.Program("vsftpd")
	labtest.Check(t, err)
	// Not the first process of its namespace, who inherits children of others:
	// it ends at one that it does not know.
	cmd := exec.Command("sh", "-c", `"$@"; exit`, "sh", server.Path, conf)
	cmd.Env = server.Env
	return labtest.Start(t, l.Servers, cmd, 21)
}

func TestVsftpd(t *testing.T) {
	l := newLab(t)
	dir, sum := newTree(t)
	p := vsftpd(t, l, dir)
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
