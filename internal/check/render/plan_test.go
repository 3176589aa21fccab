package render

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

func TestPlan(t *testing.T) {
	p := plan.New()
	p.MAC, p.GuestType, p.Net = "00:16:3e:72:79:e3", "pvh", "guest"
	p.Lease = plan.Lease{Address: netip.MustParsePrefix("10.0.0.9/24"), ServerID: netip.MustParseAddr("10.0.0.1"), NextServer: netip.MustParseAddr("10.0.0.2"), BootFile: "pxelinux.0"}
	p.Config = plan.Config{
		URL: "tftp://10.0.0.2/pxelinux.cfg/default", Bytes: 134, Lines: 1, Problems: []string{"default:1: APEND\x1b"},
		Tried: []plan.Try{{URL: "tftp://10.0.0.2/pxelinux.cfg/01", Result: plan.NotFound}, {URL: "tftp://10.0.0.2/pxelinux.cfg/default", Result: plan.Found}},
	}
	p.Program, p.Label, p.Kernel, p.Initrds, p.Args = plan.PXELINUX, "linux", "http://u:p@h/vmlinuz", []string{"tftp://h/a", "tftp://h/b"}, "quiet"
	p.Labels = []plan.Label{{Name: "linux"}, {Name: "rescue"}}
	const head = `guest    00:16:3e:72:79:e3, type pvh, --net guest
lease    10.0.0.9/24, from 10.0.0.1, next-server 10.0.0.2, boot file pxelinux.0
config   tftp://10.0.0.2/pxelinux.cfg/default (134 bytes, 1 line, after 2 names)
`
	const tail = `boots    label linux by pxelinux
kernel   http://u:***@h/vmlinuz
initrd   tftp://h/a
initrd   tftp://h/b
args     quiet
labels   linux, rescue
warning  default:1: APEND?
`
	for details, want := range map[bool]string{
		false: head + tail,
		true:  head + "         tftp://10.0.0.2/pxelinux.cfg/01: not found\n         tftp://10.0.0.2/pxelinux.cfg/default: found\n" + tail,
	} {
		var b bytes.Buffer
		if err := Plan(&b, p, details); err != nil || b.String() != want {
			t.Errorf("(%v, -want +got):\n%s", err, cmp.Diff(want, b.String()))
		}
	}

	// What failed says so.
	p.Config.URL, p.Kernel, p.Initrds, p.Boot.Args, p.Labels, p.Config.Problems, p.Boot.Error = "", "", nil, "", nil, nil, "no DEFAULT"
	want := `guest    00:16:3e:72:79:e3, type pvh, --net guest
lease    10.0.0.9/24, from 10.0.0.1, next-server 10.0.0.2, boot file pxelinux.0
config   none of 2 names, from tftp://10.0.0.2/pxelinux.cfg/01 to tftp://10.0.0.2/pxelinux.cfg/default
boots    nothing
error    no DEFAULT
`
	var b bytes.Buffer
	if err := Plan(&b, p, false); err != nil || b.String() != want {
		t.Errorf("(%v, -want +got):\n%s", err, cmp.Diff(want, b.String()))
	}
}
