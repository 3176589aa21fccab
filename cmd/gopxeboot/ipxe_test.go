package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// ipxeScript boots the sample kernel with two initrds, one of them with a name.
const ipxeScript = `#!ipxe
kernel ` + lab.SampleKernel + ` from=${filename:uristring} mac=${mac:hexhyp} class=${user-class}
initrd ` + lab.SampleInitrd + `
initrd motd /etc/motd
boot
`

// stanzas tell iPXE from the ROM as labs do. SCRIPT stands for what iPXE gets.
var stanzas = map[string]func(t *testing.T, h *lab.Host, script string) *real.Process{
	"dnsmasq": func(t *testing.T, h *lab.Host, script string) *real.Process {
		return labtest.Dnsmasq(t, h, "--dhcp-range=192.168.1.0,static,1h", "--dhcp-host="+lab.SampleMAC+",192.168.1.199", "--log-dhcp",
			"--dhcp-userclass=set:ipxe,iPXE", "--dhcp-boot=tag:!ipxe,undionly.kpxe", "--dhcp-boot=tag:ipxe,"+script)
	},
	"dnsmasq by option 175": func(t *testing.T, h *lab.Host, script string) *real.Process {
		return labtest.Dnsmasq(t, h, "--dhcp-range=192.168.1.0,static,1h", "--dhcp-host="+lab.SampleMAC+",192.168.1.199", "--log-dhcp",
			"--dhcp-match=set:http,175,19", "--dhcp-match=set:bz,175,24", "--tag-if=set:ipxe,tag:http,tag:bz", "--dhcp-boot=tag:!ipxe,undionly.kpxe", "--dhcp-boot=tag:ipxe,"+script)
	},
	"ISC dhcpd": func(t *testing.T, h *lab.Host, script string) *real.Process {
		return labtest.DHCPD(t, h, "eth0", `
			option client-architecture code 93 = unsigned integer 16;
			subnet 192.168.1.0 netmask 255.255.255.0 { }
			host guest { hardware ethernet `+lab.SampleMAC+`; fixed-address 192.168.1.199; }
			if exists user-class and option user-class = "iPXE" { filename "`+script+`"; }
			elsif option client-architecture = 00:00 { filename "undionly.kpxe"; }`)
	},
	"Kea": func(t *testing.T, h *lab.Host, script string) *real.Process {
		return labtest.Kea(t, h, `"subnet4": [ { "id": 1, "subnet": "192.168.1.0/24", "next-server": "192.168.1.166",
			"reservations": [ { "hw-address": "`+lab.SampleMAC+`", "ip-address": "192.168.1.199" } ] } ],
			"client-classes": [ { "name": "ipxe", "test": "substring(option[77].hex,0,4) == 'iPXE'", "boot-file-name": "`+script+`" },
			{ "name": "rom", "test": "not substring(option[77].hex,0,4) == 'iPXE'", "boot-file-name": "undionly.kpxe" } ]`)
	},
}

// A lab whose boot file is an iPXE, with the stanzas that tell it a script.
func TestIPXE(t *testing.T) {
	for name, start := range stanzas {
		for _, script := range []string{"boot.ipxe", "http://192.168.1.166/boot.ipxe?m=${mac:hexhyp}"} {
			scheme, _, isURL := strings.Cut(script, ":")
			if !isURL {
				scheme = "tftp"
			}
			t.Run(name+" "+scheme, func(t *testing.T) {
				l := labtest.New(t, lab.Config{})
				tree := sampleTree(t)
				writeFile(t, filepath.Join(tree, "boot.ipxe"), ipxeScript)
				writeFile(t, filepath.Join(tree, "motd"), "hello\n")
				labtest.Check(t, l.Servers.ServeTFTP(tree))
				labtest.Check(t, l.Servers.ServeHTTP(tree))
				server := start(t, l.Servers, script)
				dir := t.TempDir()
				o := gopxeboot(t, "--output-format=simple0", "--output-directory="+dir, vif, "/dev/null")
				if o.Code != 0 {
					t.Fatalf("%+v", o)
				}
				kernel, ramdisk := results(t, dir)
				sameFile(t, kernel, filepath.Join(tree, lab.SampleKernel))
				contains(t, o.Stderr, "boot file undionly.kpxe", "as iPXE, boot file "+script[:4])
				if n := strings.Count(server.Log(), "DHCPDISCOVER"); n < 2 {
					t.Errorf("%d DISCOVERs in the server's log:\n%s", n, server.Log())
				}
				if !strings.Contains(o.Stdout, " mac=00-16-3e-72-79-e3 class=") {
					t.Fatalf("%s%s", o.Stdout, o.Stderr)
				}
				first, err := os.ReadFile(filepath.Join(tree, lab.SampleInitrd))
				labtest.Check(t, err)
				got, err := os.ReadFile(ramdisk)
				labtest.Check(t, err)
				padded := (len(first) + 4095) &^ 4095
				if string(got[:len(first)]) != string(first) || !strings.HasPrefix(string(got[padded:]), "070701") || !strings.HasSuffix(string(got), "/etc/motd\x00hello\n") {
					t.Errorf("%d bytes of ramdisk, %q behind the first", len(got), got[padded:])
				}
			})
		}
	}
}

// A server that knows no iPXE names it again and again: the third try has
// Tinkerbell's user class, and PXELINUX's configuration boots with a warning.
func TestIPXELoop(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, l.Servers.ServeTFTP(sampleTree(t)))
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", "--dhcp-host="+lab.SampleMAC+",192.168.1.199", "--dhcp-boot=undionly.kpxe")
	o := gopxeboot(t, "--output-format=simple0", "--output-directory="+t.TempDir(), vif, "/dev/null")
	if o.Code != 0 {
		t.Fatalf("%+v", o)
	}
	contains(t, o.Stderr, "as iPXE, boot file undionly.kpxe", "as Tinkerbell, boot file undionly.kpxe", "DHCP names an iPXE program to iPXE, too", "pxelinux.cfg/01-00-16-3e-72-79-e3")
}

// The first menu of a script is the person's to choose from.
func TestMenuOfIPXE(t *testing.T) {
	const script = `#!ipxe
menu The lab
item --gap -- Linux
item --key o one One
item two Two
item --key h three Three
choose --timeout 60000 --default two n
kernel /` + lab.SampleKernel + ` number=${n}
boot
`
	for _, c := range []struct {
		name string
		keys []keys
		want string
	}{
		{"Enter", []keys{{"The lab", enter}}, "number=two"},
		{"down and Enter", []keys{{"The lab", down + enter}}, "number=three"},
		{"a hotkey", []keys{{"The lab", "o"}}, "number=one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, code, log, _ := atTerminal(t, script, []string{"xl", "create", "guest1.cfg"}, func(call *call) { call.Person = c.keys },
				"--menu", "--program=ipxe", "--bootfile=pxelinux.cfg/01-00-16-3e-72-79-e3")
			if code != 0 || got.Args != c.want {
				t.Errorf("exit status %d, %+v\n%q", code, got, log)
			}
		})
	}
}

// params are sent by POST, of a boot and of a check, and what comes back is run.
func TestIPXEParams(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, "boot.ipxe"), "#!ipxe\nparams\nparam mac ${mac}\nparam asset\nchain http://192.168.1.166/script##params\n")
	labtest.Check(t, l.Servers.ServeTFTP(tree))
	dhcp := lab.SampleDHCP()
	dhcp.BootFile = "boot.ipxe"
	labtest.Check(t, l.Servers.ServeDHCP(dhcp))
	var listener net.Listener
	labtest.Check(t, l.Servers.Do(func() (err error) {
		listener, err = net.Listen("tcp4", ":80")
		return err
	}))
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "#!ipxe\nkernel tftp://192.168.1.166/%s %s %s %s\nboot\n", lab.SampleKernel, r.Method, form, strings.Fields(r.UserAgent())[0])
	}))
	defer listener.Close()
	const args = "POST mac=00%3A16%3A3e%3A72%3A79%3Ae3&asset= iPXE/1.21.1"
	for _, words := range [][]string{{"--output-format=simple0", "--output-directory=" + t.TempDir(), vif, "/dev/null"}, {"check", "--json", vif}} {
		if o := gopxeboot(t, words...); o.Code != 0 || !strings.Contains(strings.ReplaceAll(o.Stdout, `\u0026`, "&"), args) {
			t.Errorf("%+v", o)
		}
	}
}

// imgverify and imgtrust go by our own verification: with it they succeed for what
// it lists, and without it they fail.
func TestIPXEVerified(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	sums := filepath.Join(t.TempDir(), "SHA256SUMS")
	writeFile(t, sums, string(sumsOf(t, tree)))
	writeFile(t, filepath.Join(tree, "boot.ipxe"), "#!ipxe\nimgtrust --permanent\nimgverify "+lab.SampleKernel+" x.sig\nboot vmlinuz\n")
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "")
	labtest.Check(t, l.Servers.ServeTFTP(tree))
	dhcp := lab.SampleDHCP()
	dhcp.BootFile = "boot.ipxe"
	labtest.Check(t, l.Servers.ServeDHCP(dhcp))
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 5, "boot.ipxe:2: imgtrust --permanent: signatures of iPXE's are not verified"},
		{[]string{"--sums=" + sums}, 0, "verify: by sums"},
		{[]string{"--program=ipxe", "--sha256=other=" + strings.Repeat("0", 64)}, 5, "imgverify " + lab.SampleKernel + " x.sig: tftp://192.168.1.166/" + lab.SampleKernel + " is neither listed nor signed"},
	} {
		o := gopxeboot(t, append(c.args, "--output-format=simple0", "--output-directory="+t.TempDir(), vif, "/dev/null")...)
		if o.Code != c.code || !strings.Contains(o.Stderr, c.says) {
			t.Errorf("%q: %+v", c.args, o)
		}
	}
}

// What a boot asks for, and how often: PXELINUX's names in PXELINUX's order, and of
// an iPXE script the same, though each file is looked at before it boots. The TFTP
// server knows no windows: what boots is asked for with them, with larger blocks, and
// as PXELINUX does.
func TestAskedForOnce(t *testing.T) {
	for _, c := range []struct {
		name, bootFile string
		want           []string
	}{
		{"PXELINUX", "pxelinux.0", []string{"3 tftp " + lab.SampleInitrd, "3 tftp " + lab.SampleKernel, "1 tftp pxelinux.cfg/01-00-16-3e-72-79-e3"}},
		{"iPXE by TFTP", "boot.ipxe", []string{"1 tftp boot.ipxe", "3 tftp " + lab.SampleInitrd, "3 tftp " + lab.SampleKernel, "1 tftp motd"}},
		{"iPXE by HTTP", "http://192.168.1.166/boot.ipxe", []string{"1 http /boot.ipxe", "1 http /" + lab.SampleInitrd, "1 http /" + lab.SampleKernel, "1 http /motd"}},
		{"iPXE as PXELINUX's kernel", "chained/pxelinux.0", []string{"1 http /boot.ipxe", "1 http /" + lab.SampleInitrd, "1 http /" + lab.SampleKernel, "1 http /motd", "1 tftp chained/pxelinux.cfg/01-00-16-3e-72-79-e3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := sampleTree(t)
			writeFile(t, filepath.Join(tree, "boot.ipxe"), ipxeScript)
			writeFile(t, filepath.Join(tree, "motd"), "hello\n")
			labtest.Check(t, os.MkdirAll(filepath.Join(tree, "chained/pxelinux.cfg"), 0o755))
			writeFile(t, filepath.Join(tree, "chained/pxelinux.cfg/01-00-16-3e-72-79-e3"), "DEFAULT x\nLABEL x\nKERNEL ipxe.lkrn\nAPPEND dhcp && chain http://192.168.1.166/boot.ipxe\n")
			labtest.Check(t, l.Servers.ServeTFTP(tree))
			labtest.Check(t, l.Servers.ServeHTTP(tree))
			dhcp := lab.SampleDHCP()
			dhcp.BootFile = c.bootFile
			labtest.Check(t, l.Servers.ServeDHCP(dhcp))
			dir := t.TempDir()
			if o := gopxeboot(t, "--output-directory="+dir, vif); o.Code != 0 {
				t.Fatalf("%+v", o)
			}
			kernel, _ := results(t, dir)
			sameFile(t, kernel, filepath.Join(tree, lab.SampleKernel))
			times := map[string]int{}
			for _, r := range l.Requests() {
				if r.Service != "dhcp" {
					times[r.Service+" "+r.Asked]++
				}
			}
			var asked []string
			for _, name := range slices.Sorted(maps.Keys(times)) {
				asked = append(asked, fmt.Sprint(times[name], " ", name))
			}
			equal(t, "what was asked for", asked, c.want)
		})
	}
}

// A proxyDHCP server beside a router, as LTSP's: what each of them says is in its own
// scope, and the options are as they were sent.
func TestIPXEProxy(t *testing.T) {
	const script = `#!ipxe
isset ${proxydhcp/dhcp-server} && set srv ${proxydhcp/dhcp-server} || set srv ${next-server}
nslookup there files.lab || exit 1
iseq ${there} ${srv} || exit 2
kernel tftp://${srv}/` + lab.SampleKernel + ` ${srv} ${proxydhcp/filename:uristring} [${net0.dhcp/filename}] ${209:string} ${224:hexraw}
boot
`
	l := labtest.New(t, lab.Config{})
	second, err := l.AddHost(t.Context(), lab.HostConfig{Name: "second", Address: netip.MustParsePrefix("192.168.1.167/24")})
	labtest.Check(t, err)
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, "boot.ipxe"), script)
	labtest.Check(t, second.ServeTFTP(tree))
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", "--dhcp-host="+lab.SampleMAC+",192.168.1.199", "--dhcp-option=6,192.168.1.166", "--dhcp-option-force=209,a", "--dhcp-option-force=224,01:0a:ff")
	labtest.Until(t, l.Servers, "started", "dnsmasq", "--keep-in-foreground", "--user=root", "--group=root", "--conf-file=/dev/null", "--pid-file=", "--log-facility=-", "--no-resolv", "--no-hosts", "--address=/files.lab/192.168.1.167")
	labtest.Dnsmasq(t, second, "--dhcp-range=192.168.1.0,proxy", "--dhcp-userclass=set:ipxe,iPXE", "--pxe-service=tag:!ipxe,x86PC,Boot,undionly.kpxe", "--pxe-service=tag:ipxe,x86PC,Boot,boot.ipxe")
	for _, words := range [][]string{{"plan", vif}, {"check", "--json", vif}} {
		o := gopxeboot(t, words...)
		if o.Code != 0 || !strings.Contains(o.Stdout, "192.168.1.167 boot.ipxe [] a 010aff") {
			t.Errorf("%q: %d\n%s%s", words, o.Code, o.Stdout, o.Stderr)
		}
	}
}
