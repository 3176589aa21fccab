package domain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// The commands that the package runs.
const (
	dumpxml   = "virsh --connect=xen:///system --quiet dumpxml --domain=" + uuid
	netXML    = "virsh --connect=xen:///system --quiet net-dumpxml --network=lab & more"
	vifList   = "xe vif-list vm-uuid=" + uuid + " params=MAC,device,network-uuid"
	bridgeOf  = "xe network-list uuid=" + network + " params=bridge,other-config"
	labXML    = "virsh --connect=xen:///system --quiet net-dumpxml --network=lab"
	readName  = "xenstore-read /local/domain/5/name"
	readVM    = "xenstore-read /local/domain/5/vm"
	readType  = "xenstore-read /libxl/5/type"
	typeOfVM  = "xe vm-param-get uuid=" + uuid + " param-name=domain-type"
	createVif = `vif=["mac=00:16:3e:00:00:05,bridge=br5"]`
)

const (
	simple     = "name=\"guest1\"\nvif=['mac=00:16:3e:72:79:e3,bridge=xenbr1']\n"
	simpleVIF  = "mac=00:16:3e:72:79:e3,bridge=xenbr1"
	otherGuest = "name=\"guest2\"\nvif=['mac=00:16:3e:99:99:99']\n"
)

func TestFind(t *testing.T) {
	xapi := xenout.Call{Toolstack: xenout.XAPI, VM: uuid}
	tests := []struct {
		name   string
		dom0   *fake
		inv    xenout.Call
		source string
		vifs   []string
	}{
		{
			"xl create with an absolute file",
			dom0With("xl", "create", "/root/guest1.cfg").file("/root/guest1.cfg", golden(t, "guest1.cfg")),
			fromLibxl, "/root/guest1.cfg",
			[]string{simpleVIF, "mac=00:16:3e:72:79:e4"},
		},
		{
			"the domain id is in the output's name",
			dom0With("xl", "create", "/root/guest1.cfg").file("/root/guest1.cfg", simple),
			xenout.Call{Domid: 5}, "/root/guest1.cfg",
			[]string{simpleVIF},
		},
		{
			"a relative file, in xl's directory",
			dom0With("/usr/lib/xen-4.17/bin/xl", "-vvv", "create", "-c", "../guests/guest1.cfg").file("/root/guests/guest1.cfg", simple),
			fromLibxl, "/root/guests/guest1.cfg",
			[]string{simpleVIF},
		},
		{
			"a relative file after xl has gone to /",
			dom0With("xl", "create", "xen/guest1.cfg").link("/proc/4711/cwd", "/").file("/etc/xen/guest1.cfg", simple),
			fromLibxl, "/etc/xen/guest1.cfg",
			[]string{simpleVIF},
		},
		{
			"the same, and the file is called otherwise in /etc/xen",
			dom0With("xl", "create", "now.cfg").link("/proc/4711/cwd", "/").file("/etc/xen/auto/10-guest1", simple),
			fromLibxl, "/etc/xen/auto/10-guest1",
			[]string{simpleVIF},
		},
		{
			"the same, and /etc/xen has another guest's file of that name",
			dom0With("xl", "create", "now.cfg").link("/proc/4711/cwd", "/").
				file("/etc/xen/now.cfg", otherGuest).file("/etc/xen/guest1.conf", simple),
			fromLibxl, "/etc/xen/guest1.conf",
			[]string{simpleVIF},
		},
		{
			"a setting on the command line overrides the file",
			dom0With("xl", "create", "/root/guest1.cfg", createVif, "memory=512").file("/root/guest1.cfg", simple),
			fromLibxl, "/root/guest1.cfg",
			[]string{"mac=00:16:3e:00:00:05,bridge=br5"},
		},
		{
			"the name is set on the command line",
			dom0With("xl", "create", "/root/template.cfg", `name="guest1"`).file("/root/template.cfg", otherGuest),
			fromLibxl, "/root/template.cfg",
			[]string{"mac=00:16:3e:99:99:99"},
		},
		{
			"everything is on the command line",
			dom0With("xl", "create", "/dev/null", "name='guest1'", createVif),
			fromLibxl, "the command line of xl create",
			[]string{"mac=00:16:3e:00:00:05,bridge=br5"},
		},
		{
			"the file is out of reach, but the command line has the vif",
			dom0With("xl", "create", "lab.cfg", createVif).link("/proc/4711/cwd", "/"),
			fromLibxl, "the command line of xl create",
			[]string{"mac=00:16:3e:00:00:05,bridge=br5"},
		},
		{
			"xl restore, when the guest reboots later",
			dom0With("xl", "restore", "/root/guest1.save").file("/etc/xen/guest1.cfg", simple),
			fromLibxl, "/etc/xen/guest1.cfg",
			[]string{simpleVIF},
		},
		{
			"no xenstore: xl's file is believed",
			dom0With("xl", "create", "/root/guest1.cfg").file("/root/guest1.cfg", golden(t, "guest1.cfg")).without(readName),
			fromLibxl, "/root/guest1.cfg",
			[]string{simpleVIF, "mac=00:16:3e:72:79:e4"},
		},
		{
			"no uuid in xenstore: the file has it",
			dom0With("xl", "create", "/root/guest1.cfg").file("/root/guest1.cfg", golden(t, "guest1.cfg")).without(readVM),
			fromLibxl, "/root/guest1.cfg",
			[]string{simpleVIF, "mac=00:16:3e:72:79:e4"},
		},
		{
			"xl's default bridge",
			dom0With("xl", "create", "/root/guest1.cfg").file("/etc/xen/xl.conf", golden(t, "xl.conf")).
				file("/root/guest1.cfg", `name="guest1" ; vif=["mac=00:16:3e:72:79:e3"]`),
			fromLibxl, "/root/guest1.cfg",
			[]string{"mac=00:16:3e:72:79:e3,bridge=xenbr7,script=vif-bridge"},
		},
		{
			"xl's default bridge, in its old name",
			dom0With("xl", "create", "/root/guest1.cfg").file("/etc/xen/xl.conf", "defaultbridge = 'br8'").
				file("/root/guest1.cfg", `name="guest1" ; vif=["mac=00:16:3e:72:79:e3"]`),
			fromLibxl, "/root/guest1.cfg",
			[]string{"mac=00:16:3e:72:79:e3,bridge=br8"},
		},
		{
			"only the first of several interfaces has to be readable",
			dom0With("xl", "create", "/root/guest1.cfg").
				file("/root/guest1.cfg", `name="guest1"; vif=["mac=00:16:3e:72:79:e3,bridge=xenbr1", "mac=00:16:3e"]`),
			fromLibxl, "/root/guest1.cfg",
			[]string{simpleVIF, ""},
		},
		{
			"a toolstack of unknown name, one of two in /etc/xen, through a link",
			dom0With("sh", "-c", "...").file("/etc/xen/guest1", simple).link("/etc/xen/auto/guest1", "../guest1").
				file("/etc/xen/a.cfg", otherGuest).file("/etc/xen/scripts/x", simple),
			fromLibxl, "/etc/xen/guest1",
			[]string{simpleVIF},
		},
		{
			"what an editor left behind does not count",
			dom0With("sh").file("/etc/xen/guest1.cfg", simple).
				file("/etc/xen/guest1.cfg~", strings.ReplaceAll(simple, "79:e3", "00:01")).
				file("/etc/xen/guest1.cfg.bak", strings.ReplaceAll(simple, "79:e3", "00:02")),
			fromLibxl, "/etc/xen/guest1.cfg",
			[]string{simpleVIF},
		},
		{
			"a file with the guest's old uuid does not count",
			dom0With("sh").file("/etc/xen/guest1.cfg", simple).
				file("/etc/xen/older.cfg", "uuid='"+network+"'\n"+strings.ReplaceAll(simple, "79:e3", "00:01")),
			fromLibxl, "/etc/xen/guest1.cfg",
			[]string{simpleVIF},
		},
		{
			"libvirt, by virsh, on one of its networks",
			dom0With("/usr/sbin/libvirtd", "--timeout", "120").
				program(dumpxml, golden(t, "virsh-dumpxml.xml")).program(netXML, golden(t, "virsh-net-dumpxml.xml")),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{"mac=00:16:3e:72:79:e3,bridge=virbr3"},
		},
		{
			"libvirt does not tell the network's bridge",
			dom0With("/usr/sbin/virtxend").program(dumpxml, golden(t, "virsh-dumpxml.xml")),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{"mac=00:16:3e:72:79:e3"},
		},
		{
			"libvirt tells nonsense of the network",
			dom0With("/usr/sbin/virtxend").program(dumpxml, golden(t, "virsh-dumpxml.xml")).program(netXML, "<network"),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{"mac=00:16:3e:72:79:e3"},
		},
		{
			"libvirt, by its file; an old xl configuration does not count",
			dom0With("/usr/sbin/virtxend").file("/etc/libvirt/libxl/guest1.xml", golden(t, "libvirt-file.xml")).
				file("/etc/xen/guest1.cfg", strings.ReplaceAll(simple, "79:e3", "00:01")),
			fromLibxl, "/etc/libvirt/libxl/guest1.xml",
			[]string{simpleVIF + ",script=vif-bridge", "mac=00:16:3e:72:79:e4"},
		},
		{
			"a toolstack of unknown name, and the guest is libvirt's",
			dom0With("sh").program(dumpxml, golden(t, "libvirt-file.xml")),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{simpleVIF + ",script=vif-bridge", "mac=00:16:3e:72:79:e4"},
		},
		{
			"XAPI in the place of eliloader",
			dom0With("/usr/sbin/xenopsd-xc").program(vifList, golden(t, "xe-vif-list.txt")).program(bridgeOf, golden(t, "xe-network-list.txt")),
			xapi, "xe vif-list vm-uuid=" + uuid,
			[]string{"mac=3a:5c:10:0b:22:9e,bridge=xapi3", ""},
		},
		{
			"XAPI in the place of pygrub",
			dom0With("/usr/sbin/xenopsd-xc").program(vifList, golden(t, "xe-vif-list.txt")).program(bridgeOf, "bridge ( RO)           : xenbr0\n    other-config (MRW): \n\n\n").
				file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nqemu_base:x:65536:65536::/:/sbin/nologin\n"),
			xenout.Call{Toolstack: xenout.XAPI, RunAs: 65541}, "xe vif-list vm-uuid=" + uuid,
			[]string{"mac=3a:5c:10:0b:22:9e,bridge=xenbr0", ""},
		},
		{
			"XAPI, and the network is a driver domain's",
			dom0With("/usr/sbin/xenopsd-xc").program(vifList, golden(t, "xe-vif-list.txt")).
				program(bridgeOf, "bridge ( RO)           : xapi3\n    other-config (MRW): automatic: true; backend_vm: "+network+"\n\n\n"),
			xapi, "xe vif-list vm-uuid=" + uuid,
			[]string{"mac=3a:5c:10:0b:22:9e,bridge=xapi3,backend=" + network, ""},
		},
		{
			"XAPI, and the second interface",
			dom0With("/usr/sbin/xenopsd-xc").program(vifList, golden(t, "xe-vif-list.txt")).
				program("xe network-list uuid=7404e9f7-7dfe-b666-d6f2-1fe9886498cd params=bridge,other-config", golden(t, "xe-network-list.txt")),
			xenout.Call{Toolstack: xenout.XAPI, VM: uuid, Interface: 1}, "xe vif-list vm-uuid=" + uuid,
			[]string{"", "mac=3a:5c:10:0b:22:9f,bridge=xapi3"},
		},
		{
			"the second interface",
			dom0With("xl", "create", "/root/guest1.cfg").
				file("/root/guest1.cfg", `name="guest1"; vif=["bridge=xenbr1", "mac=00:16:3e:72:79:e3,bridge=xenbr1,vlan=10p/20"]`),
			xenout.Call{Domid: 5, Interface: 1}, "/root/guest1.cfg",
			[]string{"bridge=xenbr1", simpleVIF + ",vlan=10p/20"},
		},
		{
			"keys that choose the network, and xl.conf's for those that are not there",
			dom0With("xl", "create", "/root/guest1.cfg").
				file("/etc/xen/xl.conf", "vif.default.backend='sys-net'\nvif.default.gatewaydev='eth1'\nvif.default.script='vif-nat'\nvifscript='vif-route'\n").
				file("/root/guest1.cfg", `name="guest1"; vif=["mac=00:16:3e:72:79:e3", "backend=0,script=vif-bridge,bridge=br1,gatewaydev=eth2"]`),
			fromLibxl, "/root/guest1.cfg",
			[]string{"mac=00:16:3e:72:79:e3,backend=sys-net,gatewaydev=eth1,script=vif-nat", "backend=0,script=vif-bridge,bridge=br1,gatewaydev=eth2"},
		},
		{
			"libvirt, and what chooses the network there",
			dom0With("libvirtd").program(dumpxml, golden(t, "libvirt-vlan.xml")).
				program(labXML, "<network><bridge name='br0'/><vlan><tag id='5'/></vlan><portgroup name='eng'><vlan><tag id='20'/></vlan></portgroup>"+
					"<portgroup name='all' default='yes'><vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='47'/></vlan></portgroup></network>"),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{
				"mac=00:16:3e:72:79:e3,bridge=br0,vlan=20", "mac=00:16:3e:72:79:e4,bridge=br1,vlan=30", "mac=00:16:3e:72:79:e5,bridge=br1,vlan=42p/47",
				"mac=00:16:3e:72:79:e6,bridge=br1,vlan=42/47", "mac=00:16:3e:72:79:e7,bridge=br1,vlan=42-42",
				"mac=00:16:3e:72:79:e8,bridge=br1,backend=sys-net", "mac=00:16:3e:72:79:e9,script=vif-route",
			},
		},
		{
			"libvirt, the network's default port group",
			dom0With("libvirtd").program(dumpxml, strings.ReplaceAll(golden(t, "libvirt-file.xml"), "bridge='xenbr1'", "network='lab'")).
				program(labXML, "<network><bridge name='br0'/><vlan><tag id='5'/></vlan><portgroup name='all' default='yes'><vlan><tag id='20'/></vlan></portgroup></network>"),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{"mac=00:16:3e:72:79:e3,bridge=br0,vlan=20,script=vif-bridge", "mac=00:16:3e:72:79:e4"},
		},
		{
			"libvirt, the network's own VLAN",
			dom0With("libvirtd").program(dumpxml, strings.ReplaceAll(golden(t, "libvirt-file.xml"), "bridge='xenbr1'", "network='lab'")).
				program(labXML, "<network><bridge name='br0'/><vlan><tag id='5'/></vlan></network>"),
			fromLibxl, "virsh dumpxml " + uuid,
			[]string{"mac=00:16:3e:72:79:e3,bridge=br0,vlan=5,script=vif-bridge", "mac=00:16:3e:72:79:e4"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.dom0.host().Find(t.Context(), test.inv)
			if err != nil {
				t.Fatal(err)
			}
			want := Info{Name: "guest1", UUID: uuid, Source: test.source, XAPI: test.inv.Toolstack == xenout.XAPI}
			if test.inv.VM != "" {
				want.Name = "" // nobody was asked for it
			}
			for _, s := range test.vifs {
				want.VIFs = append(want.VIFs, vif(t, s))
			}
			got.Type = "" // which is TestType's
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The guest's type, from what is asked for its interfaces, and without asking
// for those.
func TestType(t *testing.T) {
	xl := func(lines string) *fake {
		return dom0With("xl", "create", "/root/g").file("/root/g", simple+lines)
	}
	libvirt := func(osType string) *fake {
		return dom0With("libvirtd").program(dumpxml, strings.Replace(golden(t, "libvirt-file.xml"), ">linux<", ">"+osType+"<", 1))
	}
	xapi := func(domainType string) *fake {
		return dom0With("xenopsd").program(vifList, golden(t, "xe-vif-list.txt")).program(bridgeOf, golden(t, "xe-network-list.txt")).program(typeOfVM, domainType+"\n")
	}
	for name, test := range map[string]struct {
		dom0            *fake
		found, identity xenout.GuestType
	}{
		"nothing says it":            {xl(""), "", ""},
		"xenstore: pv":               {xl("").program(readType, "pv\n"), xenout.PV, xenout.PV},
		"xenstore: pvh":              {xl("").program(readType, "pvh\n"), xenout.PVH, xenout.PVH},
		"xenstore: pvh, and a shim":  {xl("pvshim=1\n").program(readType, "pvh\n"), xenout.PVShim, xenout.PVShim},
		"xenstore: pvh, and no shim": {xl("pvshim=0\n").program(readType, "pvh\n"), xenout.PVH, xenout.PVH},
		"xenstore: pvh, and another guest's file": {
			dom0With("xl", "create", "/root/g").file("/root/g", otherGuest+"pvshim=1\n").program(readType, "pvh\n").file("/etc/xen/g", simple), xenout.PVH, xenout.PVH,
		},
		"xenstore: pv, and pvshim":     {xl("pvshim=1\n").program(readType, "pv\n"), xenout.PV, xenout.PV},
		"xenstore: nonsense":           {xl("type='pvh'\n").program(readType, "pvx\n"), xenout.PVH, ""},
		"type=pvh":                     {xl("type='pvh'\n"), xenout.PVH, ""},
		"type=pvh, pvshim":             {xl("type='pvh'\npvshim=1\n"), xenout.PVShim, ""},
		"builder=generic":              {xl("builder='generic'\n"), xenout.PV, ""},
		"builder=hvm":                  {xl("builder='hvm'\n"), xenout.HVM, ""},
		"type counts more":             {xl("type='pv'\nbuilder='hvm'\n"), xenout.PV, ""},
		"type=pvh, and no xenstore":    {xl("type='pvh'\n").without(readName), xenout.PVH, xenout.PVH},
		"libvirt: linux":               {libvirt("linux"), xenout.PV, ""},
		"libvirt: xen":                 {libvirt("xen"), xenout.PV, ""},
		"libvirt: xenpvh":              {libvirt("xenpvh"), xenout.PVH, ""},
		"libvirt: hvm":                 {libvirt("hvm"), xenout.HVM, ""},
		"libvirt: xenpvh, xenstore pv": {libvirt("xenpvh").program(readType, "pv\n"), xenout.PV, xenout.PV},
		"XAPI: pv_in_pvh":              {xapi("pv_in_pvh"), xenout.PVShim, xenout.PVShim},
		"XAPI: pvh":                    {xapi("pvh"), xenout.PVH, xenout.PVH},
		"XAPI: unspecified":            {xapi("unspecified"), "", ""},
		"XAPI before 2018":             {xapi("").without(typeOfVM), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inv := fromLibxl
			if strings.HasPrefix(name, "XAPI") {
				inv = xenout.Call{Toolstack: xenout.XAPI, VM: uuid}
			}
			found, err := test.dom0.host().Find(t.Context(), inv)
			if err != nil || found.Type != test.found {
				t.Errorf("Find says %q, %v; want %q", found.Type, err, test.found)
			}
			identity, err := test.dom0.host().Identity(t.Context(), inv)
			if err != nil || identity.Type != test.identity {
				t.Errorf("Identity says %q, %v; want %q", identity.Type, err, test.identity)
			}
		})
	}
}

func TestFindUnknown(t *testing.T) {
	const (
		lineOfXL      = `; add to the guest's configuration: bootloader_args = [ "mac=00:16:3e:XX:XX:XX,bridge=xenbr0" ]`
		lineOfLibvirt = `; add to the guest's XML, after <bootloader>: <bootloader_args>mac=00:16:3e:XX:XX:XX,bridge=xenbr0</bootloader_args>`
		lineOfXAPI    = "; add eliloader=/usr/bin/gopxeboot to /etc/xenopsd.conf, and set the VM's PV-bootloader to eliloader: XAPI says there which VM it is"
		guest1        = `the MAC address of guest "guest1" is not known: `
		notInEtc      = `/etc/xen: no configuration in it has name = "guest1"`
	)
	created := func(text string) *fake {
		return dom0With("xl", "create", "/etc/xen/guest1.cfg").file("/etc/xen/guest1.cfg", text)
	}
	xapi := xenout.Call{Toolstack: xenout.XAPI, VM: uuid}
	tests := []struct {
		name string
		dom0 *fake
		inv  xenout.Call
		want string
	}{
		{
			"no mac=", created("name='guest1'\nvif=['bridge=xenbr0', 'mac=00:16:3e:72:79:e4']"), fromLibxl,
			guest1 + "vif[0] of /etc/xen/guest1.cfg has no mac=: xl makes a new one at each start, and it is nowhere to be read; write mac= there",
		},
		{
			"no vif=", created("name='guest1'\nvif='mac=00:16:3e:72:79:e4'"), fromLibxl,
			guest1 + `/etc/xen/guest1.cfg has no vif=: write vif = [ "mac=00:16:3e:XX:XX:XX,bridge=xenbr0" ] there`,
		},
		{
			"no address", created("name='guest1'\nvif=['mac=00:16:3e']"), fromLibxl,
			guest1 + `vif[0] of /etc/xen/guest1.cfg: MAC address "00:16:3e": not six octets such as 00:16:3e:72:79:e3`,
		},
		{
			"another guest's file", created(otherGuest), fromLibxl,
			guest1 + `/etc/xen/guest1.cfg: it is the configuration of "guest2"; ` + notInEtc + lineOfXL,
		},
		{
			"the file has changed its uuid", created("uuid='" + network + "'\n" + simple), fromLibxl,
			guest1 + "/etc/xen/guest1.cfg: it is for uuid " + network + ", but the guest has " + uuid +
				"; /etc/xen/guest1.cfg: it is for uuid " + network + ", but the guest has " + uuid + lineOfXL,
		},
		{
			"a file that xl cannot have read", dom0With("xl", "create", "/root/guest1.cfg").file("/root/guest1.cfg", simple+"memory 512\n"), fromLibxl,
			guest1 + `/root/guest1.cfg: line 3: unexpected "512"; ` + notInEtc + lineOfXL,
		},
		{
			"xm's Python", dom0With("sh").file("/etc/xen/guest1", golden(t, "xm-python.cfg")), fromLibxl,
			guest1 + `/etc/xen/guest1: line 2: unexpected "os"; virsh is not installed; /etc/libvirt/libxl/guest1.xml: file does not exist` + lineOfXL,
		},
		{
			"no file", dom0With("xl", "create", "/root/guest1.cfg"), fromLibxl,
			guest1 + "/root/guest1.cfg: file does not exist; " + notInEtc + lineOfXL,
		},
		{
			"no file, relative", dom0With("xl", "create", "guest1.cfg"), fromLibxl,
			guest1 + "xl create was given guest1.cfg: /root/lab/guest1.cfg: file does not exist, nor is there /etc/xen/guest1.cfg; " + notInEtc + lineOfXL,
		},
		{
			"a directory", dom0With("xl", "create", "/root/g").file("/root/g/x", ""), fromLibxl,
			guest1 + "/root/g: not a regular file; " + notInEtc + lineOfXL,
		},
		{
			"a file too long", dom0With("xl", "create", "/root/g").file("/root/g", strings.Repeat("#\n", maxFile/2+1)), fromLibxl,
			guest1 + "/root/g: longer than 1048576 bytes; " + notInEtc + lineOfXL,
		},
		{
			"xl restore", dom0With("xl", "restore", "/root/guest1.save"), fromLibxl,
			guest1 + `the command line of xl names no configuration: ["xl" "restore" "/root/guest1.save"]; ` + notInEtc + lineOfXL,
		},
		{
			"two files that differ",
			dom0With("sh").file("/etc/xen/guest1.cfg", simple).file("/etc/xen/new.cfg", strings.ReplaceAll(simple, "xenbr1", "xenbr2")), fromLibxl,
			guest1 + `/etc/xen/guest1.cfg and /etc/xen/new.cfg all have name = "guest1", but not the same vif: rename or remove what is not used`,
		},
		{
			"two files, one without an address",
			dom0With("sh").file("/etc/xen/guest1.cfg", simple).file("/etc/xen/new.cfg", "name='guest1'"), fromLibxl,
			guest1 + `/etc/xen/guest1.cfg and /etc/xen/new.cfg all have name = "guest1", but not the same vif: rename or remove what is not used`,
		},
		{
			"nothing but a domain id", dom0With("sh").without(readName), fromLibxl,
			"the MAC address of the guest is not known: xenstore-read is not installed" + lineOfXL,
		},
		{
			"xenstore is empty", dom0With("sh").program(readName, "\n"), fromLibxl,
			"the MAC address of the guest is not known: xenstore-read: /local/domain/5/name is empty" + lineOfXL,
		},
		{
			"not even that", dom0With("sh"), xenout.Call{},
			"the MAC address of the guest is not known: no toolstack says which guest it is, because --output is not a bootloader.<domid>.out" + lineOfXL,
		},
		{
			"neither xenstore nor a name", created("vif=['mac=00:16:3e:72:79:e4']").without(readName), fromLibxl,
			"the MAC address of the guest is not known: xenstore-read is not installed; /etc/xen/guest1.cfg has no name=" + lineOfXL,
		},
		{
			"neither xenstore nor a file", dom0With("xl", "create", "/root/g").without(readName), fromLibxl,
			"the MAC address of the guest is not known: xenstore-read is not installed; /root/g: file does not exist" + lineOfXL,
		},
		{
			"a uuid, but nothing else", created("uuid='" + uuid + "'").without(readName), fromLibxl,
			`the MAC address of guest "` + uuid + `" is not known: /etc/xen/guest1.cfg has no vif=: write vif = [ "mac=00:16:3e:XX:XX:XX,bridge=xenbr0" ] there`,
		},
		{
			"libvirt, with neither virsh nor a file", dom0With("libvirtd"), fromLibxl,
			guest1 + "virsh is not installed; /etc/libvirt/libxl/guest1.xml: file does not exist" + lineOfLibvirt,
		},
		{
			"libvirt, with nonsense", dom0With("libvirtd").program(dumpxml, "<domain><name>").file("/etc/libvirt/libxl/guest1.xml", "<network/>"), fromLibxl,
			guest1 + "virsh dumpxml " + uuid + ": XML syntax error on line 1: unexpected EOF; " +
				"/etc/libvirt/libxl/guest1.xml: expected element type <domain> but have <network>" + lineOfLibvirt,
		},
		{
			"libvirt, with another guest",
			dom0With("libvirtd").without(readVM).file("/etc/libvirt/libxl/guest1.xml", "<domain><name>guest2</name></domain>"), fromLibxl,
			guest1 + "virsh is not installed; " +
				`/etc/libvirt/libxl/guest1.xml: it is the configuration of "guest2"` + lineOfLibvirt,
		},
		{
			"libvirt, without an interface", dom0With("libvirtd").program(dumpxml, "<domain><name>guest1</name></domain>"), fromLibxl,
			guest1 + "virsh dumpxml " + uuid + " has no <interface>: give the guest one",
		},
		{
			"libvirt, without an address",
			dom0With("libvirtd").program(dumpxml, "<domain><devices><interface type='bridge'><source bridge='br0'/></interface></devices></domain>"), fromLibxl,
			guest1 + "<interface> 0 of virsh dumpxml " + uuid + `: MAC address "": not six octets such as 00:16:3e:72:79:e3`,
		},
		{
			"a name that leaves /etc/libvirt and moves the cursor",
			dom0With("libvirtd").program(readName, "../../x\\033[A\n"), fromLibxl,
			`the MAC address of guest "../../x\x1b[A" is not known: virsh is not installed; ` +
				`/etc/libvirt/libxl: it can have no file for a guest called "../../x\x1b[A"` + lineOfLibvirt,
		},
		{
			"XAPI, without xe", dom0With("xenopsd"), xapi,
			`the MAC address of guest "` + uuid + `" is not known: xe is not installed`,
		},
		{
			"XAPI, without a VIF", dom0With("xenopsd").program(vifList, "\n"), xapi,
			`the MAC address of guest "` + uuid + `" is not known: xe vif-list vm-uuid=` + uuid + " shows no VIF: give the VM one",
		},
		{
			"XAPI, without an address", dom0With("xenopsd").program(vifList, "device ( RO): 0\n"), xapi,
			`the MAC address of guest "` + uuid + `" is not known: xe vif-list vm-uuid=` + uuid + `: MAC address "": not six octets such as 00:16:3e:72:79:e3`,
		},
		{
			"XAPI, and the network has gone", dom0With("xenopsd").program(vifList, golden(t, "xe-vif-list.txt")), xapi,
			`the MAC address of guest "` + uuid + `" is not known: xe is not installed`,
		},
		{
			"XAPI, with a VIF on no network",
			dom0With("xenopsd").program(vifList, "MAC ( RO)             : 3a:5c:10:0b:22:9e\n    device ( RO): 0\n    network-uuid ( RO): <not in database>\n"), xapi,
			`the MAC address of guest "` + uuid + `" is not known: xe vif-list vm-uuid=` + uuid +
				": VIF 0 is on no network that XAPI knows (<not in database>): xe vif-destroy and vif-create put it on one",
		},
		{
			"XAPI, with a network that has no bridge here", dom0With("xenopsd").program(vifList, golden(t, "xe-vif-list.txt")).program(bridgeOf, "\n"), xapi,
			`the MAC address of guest "` + uuid + `" is not known: xe network-list uuid=` + network + " shows no bridge: see that this host has the network's PIF",
		},
		{
			"a third interface of two", created(golden(t, "guest1.cfg")), xenout.Call{Domid: 5, Interface: 2},
			guest1 + "/etc/xen/guest1.cfg has no vif[2], the last one is vif[1]",
		},
		{
			"a third interface of two, under libvirt", dom0With("libvirtd").program(dumpxml, golden(t, "libvirt-file.xml")), xenout.Call{Domid: 5, Interface: 2},
			guest1 + "virsh dumpxml " + uuid + " has 2 of <interface>, and --vif 2 is none of them, counted from 0",
		},
		{
			"a third interface of two, under XAPI", dom0With("xenopsd").program(vifList, golden(t, "xe-vif-list.txt")), xenout.Call{Toolstack: xenout.XAPI, VM: uuid, Interface: 2},
			`the MAC address of guest "` + uuid + `" is not known: xe vif-list vm-uuid=` + uuid + " shows 2 VIFs, and --vif 2 is none of them, counted from 0",
		},
		{
			"the second interface has no mac=", created("name='guest1'\nvif=['mac=00:16:3e:72:79:e4', 'bridge=xenbr0']"), xenout.Call{Domid: 5, Interface: 1},
			guest1 + "vif[1] of /etc/xen/guest1.cfg has no mac=: xl makes a new one at each start, and it is nowhere to be read; write mac= there",
		},
		{
			"XAPI, with a --vm that is none", dom0With("xenopsd"), xenout.Call{Toolstack: xenout.XAPI, VM: "--help"},
			`the MAC address of the guest is not known: --vm "--help" is not a uuid` + lineOfXAPI,
		},
		{
			"XAPI, in the place of pygrub, before it said --runas", dom0With("xenopsd"), xenout.Call{Toolstack: xenout.XAPI},
			"the MAC address of the guest is not known: no toolstack says which guest it is, because --output is not a bootloader.<domid>.out" +
				lineOfXAPI,
		},
		{
			"XAPI, in the place of pygrub, without a user of qemu's",
			dom0With("xenopsd").file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nqemu_base:x:many\n"), xenout.Call{Toolstack: xenout.XAPI, RunAs: 65541},
			"the MAC address of the guest is not known: no toolstack says which guest it is, because --output is not a bootloader.<domid>.out" +
				lineOfXAPI,
		},
		{
			"XAPI, and xenstore has no uuid",
			dom0With("xenopsd").without(readVM), xenout.Call{Toolstack: xenout.XAPI, Domid: 5},
			guest1 + "xe: not asked, because the VM's uuid is not known" + lineOfXAPI,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.dom0.host().Find(t.Context(), test.inv)
			if _, ok := errors.AsType[*UnknownError](err); !ok {
				t.Fatalf("got %+v and error %T %v, want an *UnknownError", got, err, err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if len(got.VIFs) > 0 {
				t.Errorf("got interfaces %v with an error", got.VIFs)
			}
		})
	}
}

// xenstore-read escapes what is no printable ASCII.
func TestFindByUnusualName(t *testing.T) {
	dom0 := dom0With("sh").program(readName, `b\303\274ro \\"1"`+"\n").
		file("/etc/xen/b", `name="büro \\\"1\""`+"\nvif=['mac=00:16:3e:72:79:e3']\n")
	got, err := dom0.host().Find(t.Context(), fromLibxl)
	if err != nil {
		t.Fatal(err)
	}
	want := Info{Name: `büro \"1"`, UUID: uuid, Source: "/etc/xen/b", VIFs: []xenout.VIF{vif(t, "mac=00:16:3e:72:79:e3")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFindKeepsWhatIsKnown(t *testing.T) {
	got, err := dom0With("libvirtd").host().Find(t.Context(), fromLibxl)
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(Info{Name: "guest1", UUID: uuid, Source: "xenstore of domain 5"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFindEndsWithItsContext(t *testing.T) {
	boom := errors.New("the guest was destroyed")
	ctx, cancel := context.WithCancelCause(t.Context())
	dom0 := dom0With("sh")
	host := dom0.host()
	run := host.Run
	host.Run = func(ctx context.Context, name string, args ...string) ([]byte, error) {
		if name == "virsh" {
			cancel(boom)
		}
		return run(ctx, name, args...)
	}
	got, err := host.Find(ctx, fromLibxl)
	if !errors.Is(err, boom) {
		t.Errorf("error is %v, want %v", err, boom)
	}
	if got.UUID != uuid {
		t.Errorf("uuid is %q", got.UUID)
	}
	if _, err := host.Identity(ctx, xenout.Call{}); !errors.Is(err, boom) {
		t.Errorf("error of Identity is %v, want %v", err, boom)
	}
}

func TestIdentity(t *testing.T) {
	tests := []struct {
		name  string
		dom0  *fake
		inv   xenout.Call
		want  Info
		calls []string
	}{
		{
			"from xenstore", dom0With("libvirtd"), fromLibxl,
			Info{Name: "guest1", UUID: uuid, Source: "xenstore of domain 5"},
			[]string{readName, readVM, readType},
		},
		{
			"from XAPI", dom0With("xenopsd"), xenout.Call{Toolstack: xenout.XAPI, VM: strings.ToUpper(uuid)},
			Info{UUID: uuid, Source: "--vm"}, []string{typeOfVM},
		},
		{
			"from xl's file",
			dom0With("xl", "create", "/root/g").file("/root/g", golden(t, "guest1.cfg")).without(readName), fromLibxl,
			Info{Name: "guest1", UUID: uuid, Type: xenout.PV, Source: "/root/g"}, []string{readName},
		},
		{
			"xenstore has something else for a uuid", dom0With("xl").program(readVM, "/vm/00000000-0000-dead\n"), fromLibxl,
			Info{Name: "guest1", Source: "xenstore of domain 5"}, []string{readName, readVM, readType},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.dom0.host().Identity(t.Context(), test.inv)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.calls, test.dom0.calls); diff != "" {
				t.Errorf("programs run, -want +got:\n%s", diff)
			}
		})
	}
}

func TestIdentityUnknown(t *testing.T) {
	_, err := dom0With("sh").without(readName).host().Identity(t.Context(), fromLibxl)
	if err == nil || err.Error() != "the guest's name and uuid are not known: xenstore-read is not installed" {
		t.Errorf("error is %v", err)
	}
}
