package program_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// PXELINUX's configuration counts where the server says that iPXE has nothing to
// boot, and not where it is slow to say anything: the lab may want something else.
func TestSilentForIPXE(t *testing.T) {
	silent := errors.New("no answer in 6 s")
	for _, c := range []struct {
		name, script, silent string
		program              plan.Program
		err                  string
	}{
		{"a script that is missing", "", "", plan.PXELINUX, ""},
		{"one that fails", "kernel gone", "", plan.PXELINUX, ""},
		{"a script that does not come", "kernel vmlinuz", "boot.ipxe", "", silent.Error()},
		{"a kernel that does not come", "kernel vmlinuz", "vmlinuz", plan.IPXE, "boot.ipxe:2: kernel vmlinuz: " + silent.Error()},
		{"a kernel before a shell", "kernel vmlinuz || shell", "vmlinuz", plan.IPXE, silent.Error()},
		{"another file comes instead", "imgfetch gone.img || imgfetch slow.img || boot vmlinuz", "slow.img", plan.IPXE, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{"pxelinux.cfg/default": {Data: []byte("default a\nlabel a\nkernel k\n")}, "vmlinuz": {Data: []byte(strings.Repeat("\x00", 0x202) + "HdrS")}}
			if c.script != "" {
				files["boot.ipxe"] = &fstest.MapFile{Data: []byte("#!ipxe\n" + c.script)}
			}
			m := machine("boot.ipxe")
			tree := program.Opener(pxelinux.OpenFS(files, m.Lease.NextServer))
			d, err := program.Decide(t.Context(), m, func(ctx context.Context, url string) (io.ReadCloser, error) {
				if c.silent != "" && strings.HasSuffix(url, "/"+c.silent) {
					return nil, silent
				}
				return tree(ctx, url)
			})
			if d.Boot.Program != c.program || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q boots, %v", d.Boot.Program, err)
			}
		})
	}
}
