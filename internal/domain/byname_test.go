package domain

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// A guest is found by any of what a person calls it.
func TestNamed(t *testing.T) {
	const listed = "xe vm-list name-label=guest1 params=uuid"
	xl := func() *fake {
		return dom0With("bash").file("/etc/xen/guest1.cfg", "uuid='"+uuid+"'\ntype='pvh'\n"+simple)
	}
	xapi := func() *fake {
		return dom0With("bash").program(vifList, golden(t, "xe-vif-list.txt")).program(bridgeOf, golden(t, "xe-network-list.txt")).
			program(typeOfVM, "pv_in_pvh\n").program(listed, "uuid ( RO)    : "+uuid+"\n\n\n")
	}
	running := func() *fake {
		return dom0With("bash").program("xl domid guest1", "5\n").program("xenstore-ls -f "+vifs, strings.NewReplacer("vif/5/", "vif/9/", "vif/3/", "vif/5/").Replace(golden(t, "xenstore-ls")))
	}
	const xapiVIF = "mac=3a:5c:10:0b:22:9e,bridge=xapi3"
	ofXL := Info{Name: "guest1", UUID: uuid, Type: xenout.PVH, Source: "/etc/xen/guest1.cfg", VIFs: []xenout.VIF{vif(t, simpleVIF)}}
	ofXAPI := Info{UUID: uuid, Type: xenout.PVShim, Source: "xe vif-list vm-uuid=" + uuid, XAPI: true}
	for _, test := range []struct {
		name, called string
		dom0         *fake
		want         Info // without VIFs when they are not looked at
		first        string
		err          string
	}{
		{name: "xl, its name", called: "guest1", dom0: xl(), want: ofXL, first: simpleVIF},
		{name: "xl, its uuid", called: strings.ToUpper(uuid), dom0: xl(), want: ofXL, first: simpleVIF},
		{name: "xl, its domain id", called: "5", dom0: xl(), want: ofXL, first: simpleVIF},
		{name: "libvirt, its name", called: "guest1", dom0: dom0With("bash").program(strings.ReplaceAll(dumpxml, uuid, "guest1"), golden(t, "libvirt-file.xml")),
			want: Info{Name: "guest1", UUID: uuid, Type: xenout.PV, Source: "virsh dumpxml guest1"}, first: simpleVIF + ",script=vif-bridge"},
		{name: "XAPI, its uuid", called: uuid, dom0: xapi(), want: ofXAPI, first: xapiVIF},
		{name: "XAPI, its name", called: "guest1", dom0: xapi(), want: Info{Name: "guest1", UUID: uuid, Type: xenout.PVShim, Source: ofXAPI.Source, XAPI: true}, first: xapiVIF},
		{name: "XAPI, two of that name", called: "guest1", dom0: xapi().program(listed, "uuid ( RO)    : "+uuid+"\n\nuuid ( RO) : "+network+"\n"), err: "shows 2 VMs that are called"},
		{name: "it runs, and has no file", called: "guest1", dom0: running(), want: Info{Name: "guest1", UUID: uuid, Source: "xenstore of domain 5"}, first: "mac=00:16:3e:72:79:e3,bridge=xenbr0,script=/etc/xen/scripts/vif-bridge"},
		{name: "the same, by its domain id", called: "5", dom0: running(), want: Info{Name: "guest1", UUID: uuid, Source: "xenstore of domain 5"}, first: "mac=00:16:3e:72:79:e3,bridge=xenbr0,script=/etc/xen/scripts/vif-bridge"},
		{name: "no such domain", called: "7", dom0: xl(), err: `guest "7" is not known: no such domain: xenstore-read`},
		{name: "no domain id", called: "99999", dom0: xl(), err: "no domain id between"},
		{name: "no such name", called: "guest2", dom0: xl(), err: `/etc/xen: no configuration in it has name = "guest2"`},
		{name: "no such uuid", called: network, dom0: xl(), err: `/etc/xen: no configuration in it has uuid = "` + network + `"`},
		{name: "a name like an option", called: "--all", dom0: xl(), err: `name = "--all"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.dom0.host().Named(t.Context(), test.called, 0)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(vif(t, test.first), got.VIFs[0]); diff != "" {
				t.Errorf("vif (-want +got):\n%s", diff)
			}
			got.VIFs, test.want.VIFs = nil, nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What --once remembers a guest by.
func TestLasting(t *testing.T) {
	const file = "/etc/libvirt/libxl/guest1.xml"
	xapi := xenout.Call{Toolstack: xenout.XAPI, VM: uuid}
	for name, test := range map[string]struct {
		dom0            *fake
		inv             xenout.Call
		uuid, name, err string
	}{
		"xl":                        {dom0With("xl", "create", "/root/g"), fromLibxl, "", "guest1", ""},
		"xl, and a silent xenstore": {dom0With("xl", "create", "/root/g").file("/root/g", simple).without(readName), fromLibxl, "", "guest1", ""},
		"xl, and nothing":           {dom0With("xl", "create", "/root/g").without(readName), fromLibxl, "", "", "name and uuid are not known"},
		"libvirt":                   {dom0With("libvirtd").file(file, "<domain><uuid>"+strings.ToUpper(uuid)+"</uuid></domain>"), fromLibxl, uuid, "", ""},
		"libvirt, not defined":      {dom0With("virtxend"), fromLibxl, "", "", "virsh define"},
		"libvirt, another uuid":     {dom0With("virtxend").file(file, "<domain><uuid>"+network+"</uuid></domain>"), fromLibxl, "", "", "it is for uuid " + network},
		"libvirt, nonsense":         {dom0With("virtxend").file(file, "<"), fromLibxl, "", "", "XML"},
		"XAPI":                      {dom0With("xenopsd"), xapi, uuid, "", ""},
		"a shell":                   {dom0With("bash"), fromLibxl, "", "", "no toolstack says what stays the same"},
		"a shell, and no domain":    {dom0With("bash"), xenout.Call{}, "", "", "no toolstack says which guest it is"},
	} {
		t.Run(name, func(t *testing.T) {
			id, called, err := test.dom0.host().Lasting(t.Context(), test.inv)
			if id != test.uuid || called != test.name || (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q, %q, %v", id, called, err)
			}
		})
	}
}
