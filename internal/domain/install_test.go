package domain

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	getOther   = "xe vm-param-get uuid=" + uuid + " param-name=other-config"
	setVM      = "xe vm-param-set uuid=" + uuid + " "
	removeKey  = "xe vm-param-remove uuid=" + uuid + " param-name=other-config param-key="
	vbdList    = "xe vbd-list vm-uuid=" + uuid + " params=uuid,userdevice,bootable"
	diskVBD    = "11111111-1111-1111-1111-111111111111"
	cdVBD      = "22222222-2222-2222-2222-222222222222"
	twoVBDs    = "uuid ( RO)          : " + diskVBD + "\n    userdevice ( RW): 0\n      bootable ( RW): false\n\n\nuuid ( RO)          : " + cdVBD + "\n    userdevice ( RW): 3\n      bootable ( RW): true\n\n\n"
	oneDiskVBD = "uuid ( RO)          : " + diskVBD + "\n    userdevice ( RW): 0\n      bootable ( RW): true\n\n\n"
)

// otherConfig is a dom0 with such a VM, as xe prints its other-config.
func otherConfig(text string, keys map[string]string) *fake {
	f := dom0With("xenopsd").program(getOther, text+"\n")
	for key, value := range keys {
		f.program(getOther+" param-key="+key, value+"\n")
	}
	return f
}

func TestInstall(t *testing.T) {
	for _, test := range []struct {
		name string
		dom0 *fake
		want Install
		err  string
	}{
		{"no XAPI", dom0With("xenopsd"), Install{}, ""},
		{"nothing to install", otherConfig("mac_seed: 34fd2431; base_template_name: Debian", nil), Install{}, ""},
		{"no other-config", otherConfig("", nil), Install{}, ""},
		{"an empty repository", otherConfig("install-repository: ; install-distro: debianlike", map[string]string{"install-repository": "", "install-distro": "debianlike"}), Install{}, ""},
		{"other keys only", otherConfig("install-distro: debianlike; install-methods: cdrom,http,ftp", map[string]string{"install-distro": "debianlike"}), Install{}, ""},
		{"FAIWiki's",
			otherConfig("mac_seed: 34fd2431; linux_template: true; install-methods: cdrom,http,ftp; install-arch: i386; debian-release: lenny; disks: <provision><disk device=\"0\"/></provision>; install-distro: debianlike; install-repository: http://fai/debian",
				map[string]string{"install-arch": "i386", "debian-release": "lenny", "install-distro": "debianlike", "install-repository": "http://fai/debian"}),
			Install{Repository: "http://fai/debian", Distro: "debianlike", Arch: "i386", Release: "lenny", Round: 1}, ""},
		{"every key",
			otherConfig("install-repository: nfs:h:/p; install-distro: rhlike; install-kernel: k; install-ramdisk: r; install-args: a: b; c; install-arch: x86_64; install-proxy: http://p:3128; install-vnc: true; install-vncpasswd: s; install-round: 2; debian-release: x",
				map[string]string{"install-repository": "nfs:h:/p", "install-distro": "rhlike", "install-kernel": "k", "install-ramdisk": "r", "install-args": "a: b; c", "install-arch": "x86_64",
					"install-proxy": "http://p:3128", "install-vnc": "true", "install-vncpasswd": "s", "install-round": "2", "debian-release": "x"}),
			Install{Repository: "nfs:h:/p", Distro: "rhlike", Kernel: "k", Ramdisk: "r", Args: "a: b; c", Arch: "x86_64", Release: "x", Proxy: "http://p:3128", VNC: true, VNCPassword: "s", Round: 2}, ""},
		{"no VNC", otherConfig("install-repository: http://h/; install-vnc: false", map[string]string{"install-repository": "http://h/", "install-vnc": "false"}),
			Install{Repository: "http://h/", Round: 1}, ""},
		{"a round that is none", otherConfig("install-repository: http://h/; install-round: zero", map[string]string{"install-repository": "http://h/", "install-round": "zero"}), Install{}, "install-round"},
		{"a round before the first", otherConfig("install-repository: http://h/; install-round: 0", map[string]string{"install-repository": "http://h/", "install-round": "0"}), Install{}, "install-round"},
		{"xe fails", otherConfig("install-repository: http://h/", nil), Install{}, "xe"},
	} {
		got, err := test.dom0.host().Install(t.Context(), uuid)
		switch {
		case test.err == "" && err != nil, test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s: got error %v, want %q", test.name, err, test.err)
		case test.err == "":
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
		}
	}
	nobody := dom0With("xenopsd")
	if got, err := nobody.host().Install(t.Context(), "no uuid"); err != nil || got != (Install{}) || nobody.calls != nil {
		t.Errorf("got %v, %v after %v", got, err, nobody.calls)
	}
}

// What changes XAPI's database, and what is left alone there.
func TestInstalled(t *testing.T) {
	for _, test := range []struct {
		name string
		dom0 *fake
		do   func(*Host) error
		want []string // calls
		err  string
	}{
		{"the next round", dom0With("xenopsd").program(setVM+"other-config:install-round=2", ""),
			func(h *Host) error { return h.NextRound(t.Context(), uuid, 2) },
			[]string{setVM + "other-config:install-round=2"}, ""},
		{"the last one", otherConfig("install-round: 2; install-repository: http://h/; install-distro: rhlike", nil).program(setVM+"PV-bootloader=pygrub", "").program(removeKey+"install-distro", "").program(removeKey+"install-round", ""),
			func(h *Host) error { return h.Installed(t.Context(), uuid) },
			[]string{setVM + "PV-bootloader=pygrub", getOther, removeKey + "install-distro", removeKey + "install-round"}, ""},
		{"the last one, without those keys", otherConfig("install-repository: http://h/; x: install-round: 1", nil).program(setVM+"PV-bootloader=pygrub", ""),
			func(h *Host) error { return h.Installed(t.Context(), uuid) },
			[]string{setVM + "PV-bootloader=pygrub", getOther}, ""},
		{"the last one fails", dom0With("xenopsd"),
			func(h *Host) error { return h.Installed(t.Context(), uuid) },
			[]string{setVM + "PV-bootloader=pygrub"}, "xe"},
		{"from the CD to the disk", dom0With("xenopsd").program(vbdList, twoVBDs).program("xe vbd-param-set uuid="+diskVBD+" bootable=true", "").program("xe vbd-param-set uuid="+cdVBD+" bootable=false", ""),
			func(h *Host) error { return h.BootFirstDisk(t.Context(), uuid) },
			[]string{vbdList, "xe vbd-param-set uuid=" + diskVBD + " bootable=true", "xe vbd-param-set uuid=" + cdVBD + " bootable=false"}, ""},
		{"the disk already", dom0With("xenopsd").program(vbdList, oneDiskVBD),
			func(h *Host) error { return h.BootFirstDisk(t.Context(), uuid) },
			[]string{vbdList}, ""},
		{"a VBD without a uuid", dom0With("xenopsd").program(vbdList, "uuid ( RO)  : --x\n  userdevice ( RW): 0\n  bootable ( RW): false\n"),
			func(h *Host) error { return h.BootFirstDisk(t.Context(), uuid) },
			[]string{vbdList}, ""},
	} {
		err := test.do(test.dom0.host())
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.err)
		}
		if !slices.Equal(test.dom0.calls, test.want) {
			t.Errorf("%s: (-want +got):\n%s", test.name, cmp.Diff(test.want, test.dom0.calls))
		}
	}
}
