package main

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// recordServers records what arrives at the servers of a lab while f runs.
func recordServers(t *testing.T, l *lab.Lab, f func()) []byte {
	t.Helper()
	var recorded bytes.Buffer
	var recorder *wire.Recorder
	labtest.Check(t, l.Servers.Do(func() (err error) {
		recorder, err = wire.Record("eth0", &recorded)
		return err
	}))
	f()
	labtest.Check(t, recorder.Stop())
	return recorded.Bytes()
}

// dhcpFrames counts the frames to a DHCP server's port.
func dhcpFrames(t *testing.T, recorded []byte) (n int) {
	t.Helper()
	for packet, err := range wire.ReadCapture(bytes.NewReader(recorded)) {
		labtest.Check(t, err)
		const udp, port = 14 + 9, 14 + 20 + 2
		if f := packet.Data; len(f) > port+2 && binary.BigEndian.Uint16(f[12:]) == 0x0800 && f[udp] == 17 && binary.BigEndian.Uint16(f[port:]) == 67 {
			n++
		}
	}
	return n
}

// Where there is no DHCP server, the command line says what it would.
func TestAddress(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	tree := sampleTree(t)
	labtest.Check(t, l.Servers.ServeTFTP(tree))
	writeFile(t, tree+"/other/pxelinux.cfg/default", "default x\nlabel x\n kernel x\n")
	const args = "--address=192.168.1.199/24 --router=192.168.1.1 --server=192.168.1.166 --bootfile=pxelinux.0 " + vif
	for _, net := range []string{"guest", "dom0"} {
		recorded := recordServers(t, l, func() {
			dir := t.TempDir()
			o := gopxeboot(t, strings.Fields("--output-format=json --output-directory="+dir+" --net="+net+" "+args)...)
			if o.Code != 0 {
				t.Errorf("--net %s: %+v", net, o)
			}
			contains(t, o.Stderr, "lease: 192.168.1.199/24 on xenbr0, without DHCP, next-server 192.168.1.166, boot file pxelinux.0")
			contains(t, o.Stdout, `"args":"`+howtoArgs+`"`)
			equal(t, "files", len(entries(t, dir)), 2)
		})
		equal(t, "DHCP's frames, --net "+net, dhcpFrames(t, recorded), 0)
		if net == "guest" && !guestsFrames(t, recorded)[0] {
			t.Error("nothing of the guest's was recorded")
		}
	}
	for _, test := range []struct {
		args, says string
		code       int
	}{
		{"plan " + args, `"address": "192.168.1.199/24"`, 0},
		{"plan --option=210=other/ --option=60=x --address=192.168.1.199/24 --server=192.168.1.166 " + vif, `"kernel": "tftp://192.168.1.166/other/x"`, 0},
		{"plan --location=tftp://192.168.1.166/ --kernel=" + lab.SampleKernel + " --address=192.168.1.199/24 " + vif, lab.SampleKernel, 0},
		{"check " + args, "ok    lease   192.168.1.199/24, as --address says, next-server 192.168.1.166, boot file pxelinux.0\n", 0},
		{"check --net=dom0 " + args, "[ok]", 0},
		{"check --address=192.168.1.199/24 --server=192.168.1.9 " + vif, "[next-server-unreachable]", 2},
		{"check --address=192.168.1.199/24 --server=10.9.0.1 --router=192.168.1.9 " + vif, "try:  correct --router, or see that it is up\n", 2},
		{"check --address=192.168.1.199/24 --server=10.9.0.1 " + vif, "try:  name the router of that network with --router, or a --server in it\n", 2},
		{"plan --address=192.168.1.199/24 --server=10.9.0.1 --router=192.168.1.9 " + vif, "; correct --router, or see that it is up", 4},
		{"check --address=192.168.1.166/24 --server=192.168.1.166 " + vif, "[address-in-use]", 2},
		{"check --json --address=192.168.1.199/24 --server=192.168.1.166 " + vif, `"origin": "--address"`, 0},
		{"check --request " + args, "--request has no effect with --address", 3},
		{"check --wait=1s " + args, "--wait has no effect with --address", 3},
		{"check --count=2 " + args, "has no effect with --count", 3},
		{"check --address=192.168.1.199/24 " + vif, "--server has to name", 3},
		{"check --router=192.168.1.1 " + vif, "--router belongs to --address", 3},
		{"plan --address=192.168.1.199/24 " + vif, "--server has to name", 2},
		{"plan --address=192.168.1.199 --server=192.168.1.166 " + vif, "no address of a guest's with its prefix length", 2},
		{"plan --address=224.0.0.1/24 --server=192.168.1.166 " + vif, "no address of a guest's", 2},
		{"plan --address=fe80::1/64 --server=192.168.1.166 " + vif, "no address of a guest's", 2},
		{"plan --address=192.168.1.199/24 --router=x --server=192.168.1.166 " + vif, "--router: ", 2},
		{"plan --address=192.168.1.199/24 --option=6=x --server=192.168.1.166 " + vif, "--option 6: ", 2},
		{"plan --router=192.168.1.1 " + vif, "--router belongs to --address", 2},
	} {
		recorded := recordServers(t, l, func() {
			o := gopxeboot(t, strings.Fields(test.args)...)
			if o.Code != test.code || !strings.Contains(o.Stdout+o.Stderr, test.says) {
				t.Errorf("%s: %+v", test.args, o)
			}
		})
		equal(t, "DHCP's frames, "+test.args, dhcpFrames(t, recorded), 0)
	}
}

// ip= is what dom0 lets through, and no lease.
func TestVifIP(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	for ip, want := range map[string]string{
		"192.168.1.199": "", "10.0.0.0/8 192.168.1.199": "",
		"192.168.1.200": "warning: dhcp: the vif says ip=192.168.1.200, and the lease is 192.168.1.199: where dom0 filters by ip=",
	} {
		o := gopxeboot(t, "plan", "-q", vif+",ip="+ip)
		if o.Code != 0 || want == "" && o.Stderr != "" || !strings.Contains(o.Stderr, want) {
			t.Errorf("ip=%s: %+v", ip, o)
		}
		o = gopxeboot(t, "check", "--quick", vif+",ip="+ip)
		if warned := strings.Contains(o.Stdout, "[vif-address]\nseen: the vif says ip="+ip+", and the lease is 192.168.1.199\n"); warned != (want != "") || o.Code == 1 != warned {
			t.Errorf("check, ip=%s: %+v", ip, o)
		}
	}
}
