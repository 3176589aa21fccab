package check

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// example reads a file of testdata/facts, and insists on every key in it.
func example(t *testing.T, name string) Facts {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "facts", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var f Facts
	if err := decoder.Decode(&f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func TestExamples(t *testing.T) {
	for name, want := range map[string]Code{"healthy": Fine, "silent": STPBlocking, "two-servers": RogueServer, "misnamed": ConfigMisnamed} {
		t.Run(name, func(t *testing.T) {
			r := Diagnose(example(t, name))
			if r.Verdict.Code != want {
				t.Errorf("got %+v, want %s", r.Verdict, want)
			}
			if (r.Status() == OK) != (want == Fine) {
				t.Errorf("status %s", r.Status())
			}
		})
	}
}

// Broken labs. Each begins as the healthy one.

func silence(f *Facts) {
	f.Events = []Event{{Kind: "DISCOVER", From: "guest", To: "broadcast"}}
	f.Offers, f.Merged, f.Lease = nil, nil, plan.Lease{}
	noServerStep(f)
}

func noServerStep(f *Facts) {
	f.NextServer, f.Others = nil, nil
	noSearch(f)
}

func noSearch(f *Facts) {
	f.Search, f.Config = nil, nil
	noBoot(f)
}

func noBoot(f *Facts) {
	f.Boot = nil
	noFiles(f)
}

func noFiles(f *Facts) { f.Files, f.Args, f.Space = nil, nil, nil }

func answered(v Variant) func(*Facts) {
	return func(f *Facts) {
		silence(f)
		v.Answered, v.Server = true, netip.MustParseAddr("192.168.1.1")
		f.Variants = []Variant{{Name: AskedArch, Arch: 11}, v}
	}
}

func setBoot(name ValueName, value, origin, raw string) func(*Facts) {
	return func(f *Facts) {
		i := slices.IndexFunc(f.Merged, func(v Value) bool { return v.Name == name })
		f.Merged = slices.Clone(f.Merged)
		f.Merged[i].Value, f.Merged[i].Raw, f.Merged[i].Passed = value, raw, nil
		_ = f.Merged[i].Origin.UnmarshalText([]byte(origin)) // it never fails
		if name == ValueBootFile {
			f.Lease.BootFile = value
		} else {
			f.Lease.NextServer, _ = netip.ParseAddr(value)
		}
	}
}

// prompts is a configuration of which PXELINUX reads nothing.
func prompts(f *Facts) {
	noFiles(f)
	f.Config.Default, f.Config.Labels = "", nil
	f.Boot = &plan.Boot{Outcome: pxelinux.Prompt, Error: "no DEFAULT"}
}

// lint finds something in line 3 of the only label's configuration.
func lint(code pxelinux.Code, fix string) func(*Facts) {
	return func(f *Facts) {
		f.Config.Labels = []string{"linux"}
		f.Config.Findings = []plan.Finding{{File: "f", Line: 3, Text: "odd", Code: code, Severity: pxelinux.SeverityWarning, Fix: fix}}
	}
}

func nothingFound(result plan.Result) func(*Facts) {
	return func(f *Facts) {
		for i := range f.Search {
			f.Search[i].Result = "not found"
		}
		f.Search[0].Result = result
		f.Search[0].Message = "2 Permission denied"
		f.Config = nil
		noBoot(f)
	}
}

func tftp(state TFTPState) func(*Facts) {
	return func(f *Facts) {
		f.NextServer.TFTP, f.NextServer.HasFile = state, false
		noSearch(f)
	}
}

// rejection is what the network says in the place of an answer.
func rejection(by, to string, code uint8) *plan.Rejected {
	return &plan.Rejected{By: netip.MustParseAddr(by), To: netip.MustParseAddr(to), Code: code}
}

// rejected is the same of the next-server.
func rejected(by string, code uint8) func(*Facts) {
	return func(f *Facts) { f.NextServer.Rejected = rejection(by, f.NextServer.Address.String(), code) }
}

// fromDom0 is a look from dom0, which has no address where the guest is.
func fromDom0(f *Facts) {
	tftp(PortUnreachable)(f)
	f.Subject.Net = "dom0"
	f.Bridge.Networks = slices.DeleteFunc(f.Bridge.Networks, func(n Network) bool { return n.Interface == f.Bridge.Name })
}

func kernelIs(k Kernel) func(*Facts) { return func(f *Facts) { f.Files[0].Kernel = &k } }

func file(i int, result plan.Result) func(*Facts) {
	return func(f *Facts) { f.Files[i].Result, f.Files[i].Kernel, f.Files[i].Bytes = result, nil, -1 }
}

func second(server, network, next, bootFile string) func(*Facts) {
	return func(f *Facts) {
		a := netip.MustParseAddr(server)
		f.Offers = append(f.Offers, Offer{Server: a, From: a, ServerMAC: "aa:bb:cc:00:11:22", Address: netip.MustParsePrefix(network),
			Values: []Value{{Name: "router", Value: "192.168.1.1"}, {Name: "next-server", Value: next}, {Name: "boot file", Value: bootFile}}})
	}
}

func all(list ...func(*Facts)) func(*Facts) {
	return func(f *Facts) {
		for _, change := range list {
			change(f)
		}
	}
}

// brokenLab is the healthy one after one change, or two, and what is said of it.
type brokenLab struct {
	name   string
	change func(*Facts)
	code   Code
	status Status
	says   string // in the evidence or the hint
}

func brokenLabs() []brokenLab {
	tftpServer := netip.MustParseAddr("192.168.1.2")
	bridge := func(change func(*Bridge)) func(*Facts) { return func(f *Facts) { change(f.Bridge) } }
	blocked := bridge(func(b *Bridge) { b.STP, b.ForwardDelay, b.Ports[0].State = true, 15, "learning" })
	noPorts := bridge(func(b *Bridge) { b.Ports = b.Ports[1:] })
	unplugged := bridge(func(b *Bridge) { b.Ports[0].Carrier, b.Ports[0].State = false, "disabled" })
	inUse := bridge(func(b *Bridge) { b.MACOn = "vif3.0" })
	otherTFTP := func(hasFile bool) func(*Facts) {
		return func(f *Facts) {
			f.Others = []Station{{Address: tftpServer, Why: "DHCP server", TFTP: "answers", Asked: "pxelinux.0", HasFile: hasFile}}
		}
	}
	bootless := all(setBoot("boot file", "", "", ""), noServerStep)
	label := func(b plan.Boot, labels ...string) func(*Facts) {
		return func(f *Facts) { f.Boot, f.Config.Labels = &b, labels; noFiles(f) }
	}

	return []brokenLab{
		{"nothing is wrong", func(*Facts) {}, Fine, OK, ""},
		{"local boot", label(plan.Boot{Outcome: "localboot", Label: "disk"}, "disk"), Fine, OK, ""},
		{"menu says local boot", func(f *Facts) { f.Lease.LocalBoot, f.Lease.BootFile = true, ""; noServerStep(f) }, Fine, OK, ""},

		{"bridge is down", all(silence, bridge(func(b *Bridge) { b.Up = false })), BridgeDown, Fail, "ip link set xenbr0 up"},
		{"bridge is a port", all(silence, bridge(func(b *Bridge) { b.PortOf, b.Instead = "xenbr0", "say bridge=xenbr0" })), BridgeIsPort, Fail, "say bridge=xenbr0"},
		{"the guest runs, and dom0 has no way", all(fromDom0, bridge(func(b *Bridge) { b.Running = &Running{5, "vif5.0"} })), MACInUse, Fail, "xenstore has the MAC on vif5.0"},
		{"the guest runs, and dom0 has a way", bridge(func(b *Bridge) { b.Running = &Running{5, "vif5.0"} }), Fine, OK, ""},
		{"STP, and dom0 has no way", all(fromDom0, bridge(func(b *Bridge) { b.STP, b.ForwardDelay = true, 15 })), STPBlocking, Fail, "give dom0 an address"},
		{"dom0 asks elsewhere", all(fromDom0, func(f *Facts) { f.NextServer.TFTP = PortSilent }), NextServerUnreachable, Fail, "it asks elsewhere"},
		{"from Open vSwitch", all(fromDom0, bridge(func(b *Bridge) { b.Kind = "openvswitch" })), NextServerUnreachable, Fail, "a route there"},
		{"MAC in use, boots", inUse, MACInUse, Warn, "vif3.0"},
		{"MAC in use, silence", all(silence, inUse), MACInUse, Fail, "vif3.0"},
		{"STP", all(silence, blocked), STPBlocking, Fail, "eth0 is learning"},
		{"STP, boots", bridge(func(b *Bridge) { b.STP, b.ForwardDelay = true, 15 }), STPBlocking, Warn, "forward_delay"},
		{"no uplink", all(silence, noPorts), NoUplink, Fail, "vif3.0"},
		{"no uplink, boots", noPorts, Fine, OK, ""},
		{"cable", all(silence, unplugged), NoUplink, Fail, "cable"},
		{"VLAN does not leave", all(silence, func(f *Facts) { f.Bridge.Filters, f.Bridge.Ports[0].VLANs, f.Subject.VLAN = true, []uint16{1, 10}, 20 }),
			VLANMismatch, Fail, "eth0 has VLAN 1, 10"},
		{"no VLAN, default", all(silence, func(f *Facts) { f.Bridge.Filters, f.Bridge.Ports[0].VLANs, f.Bridge.PVID = true, []uint16{10}, 1 }),
			VLANMismatch, Fail, "vid 1"},
		{"server in a VLAN", answered(Variant{Name: AskedVLAN, VLAN: 20}), VLANMismatch, Fail, "bridge=xenbr0.20"},

		{"only from dom0", answered(Variant{Name: AskedFromDom0}), Dom0Firewall, Fail, "192.168.1.1 answers the guest's own question"},
		{"TFTP only from dom0", all(tftp("silent"), func(f *Facts) { f.NextServer.FromDom0 = true }), Dom0Firewall, Fail, "the request for pxelinux.0 when dom0"},
		{"TFTP only from dom0, by iptables", all(tftp("silent"), func(f *Facts) { f.NextServer.FromDom0, f.Bridge.CallsIPTables = true, true }), Dom0Firewall, Fail, "bridge-nf-call-iptables=0"},
		{"ARP only from dom0", all(tftp("unreachable"), func(f *Facts) { f.NextServer.FromDom0, f.NextServer.MAC = true, "" }), Dom0Firewall, Fail, "answers ARP when dom0 asks"},
		{"TFTP only by frames from dom0", all(tftp("silent"), func(f *Facts) { f.NextServer.FromDom0, f.Subject.Net = true, "dom0" }), Dom0Firewall, Fail, "INPUT and OUTPUT"},
		{"TFTP only by frames from dom0, which has no address there", all(fromDom0, func(f *Facts) { f.NextServer.FromDom0, f.NextServer.TFTP = true, PortSilent }), NextServerUnreachable, Fail, "it asks elsewhere"},
		{"iptables, and nothing is dropped", func(f *Facts) { f.Bridge.CallsIPTables = true }, Fine, OK, ""},

		{"too late", all(bootless, func(f *Facts) {
			f.Waited, f.Offers[0].Values = 2001, nil
			f.Offers = append(f.Offers, Offer{After: 3012, Server: tftpServer, Address: netip.MustParsePrefix("192.168.1.77/24"), Values: []Value{{Name: ValueBootFile, Value: "pxelinux.0"}}})
		}), AnswerTooLate, Fail, "192.168.1.2 says boot file pxelinux.0 3.0 s after"},
		{"no server", silence, NoServer, Fail, "1 DISCOVER"},
		{"other arch", answered(Variant{Name: AskedArch, Arch: 7}), OtherArchOnly, Fail, "--arch 7"},
		{"boot file for other arch", all(bootless, func(f *Facts) {
			f.Variants = []Variant{{Name: AskedArch, Arch: 7, Answered: true, BootFile: "ipxe.efi"}}
		}), OtherArchOnly, Fail, "ipxe.efi"},
		{"only without 60", answered(Variant{Name: AskedWithout60}), OnlyWithout60, Fail, "PXEClient"},
		{"only with 60", answered(Variant{Name: AskedWith60}), NeedsOption60, Fail, "--vendor-class"},
		{"only unicast", answered(Variant{Name: AskedNoBroadcast}), OnlyUnicast, Fail, ""},
		{"MAC refused", answered(Variant{Name: AskedOtherMAC}), MACNotServed, Fail, "MAC"},
		{"pool empty", answered(Variant{Name: AskedInform}), PoolEmpty, Fail, "dhcp-range"},
		{"silent proxy", func(f *Facts) { f.SilentProxies = []netip.Addr{tftpServer} }, ProxySilent, Warn, "192.168.1.2"},
		{"silent proxy and nothing to boot", all(bootless, func(f *Facts) { f.SilentProxies = []netip.Addr{tftpServer} }), ProxySilent, Fail, "192.168.1.2"},
		{"proxy only", all(silence, func(f *Facts) { f.Offers = []Offer{{Proxy: true, Server: tftpServer}} }), ProxyOnly, Fail, "192.168.1.2"},
		{"answers get lost", func(f *Facts) { f.Unsteady = true }, PacketLoss, Warn, "ip -s link"},
		{"everything gets lost", all(tftp("silent"), func(f *Facts) { f.Unsteady = true }), PacketLoss, Fail, "ethtool"},

		{"rogue, boots", second("192.168.1.250", "192.168.1.57/24", "192.168.1.250", "x.kpxe"), RogueServer, Warn, "aa:bb:cc:00:11:22"},
		{"rogue, and nothing there", all(second("192.168.1.250", "192.168.1.57/24", "192.168.1.250", "x.kpxe"), tftp("closed")), RogueServer, Fail, "x.kpxe"},
		{"two that agree", second("192.168.1.2", "192.168.1.99/24", "192.168.1.166", "pxelinux.0"), Fine, OK, ""},
		{"router gives addresses too", all(second("192.168.1.250", "192.168.1.57/24", "", ""), tftp("closed")), TFTPNotRunning, Fail, ""},
		{"other network, no VLANs", second("10.9.0.1", "10.9.0.57/24", "10.9.0.1", "x"), RogueServer, Warn, "10.9.0.0/24"},
		{"dom0's other network", second("10.0.0.1", "10.0.0.57/24", "10.0.0.1", "x"), WrongVLANServer, Warn, "eth1"},
		{"other network, VLANs", all(second("10.9.0.1", "10.9.0.57/24", "10.9.0.1", "x"), bridge(func(b *Bridge) { b.Filters = true })), WrongVLANServer, Warn, "10.9.0.57"},
		{"tag", all(second("192.168.1.250", "192.168.1.57/24", "", ""), func(f *Facts) { f.Offers[1].VLAN = 30 }), WrongVLANServer, Warn, "VLAN 30"},
		{"only the leak", func(f *Facts) {
			f.Offers[0].Address = netip.MustParsePrefix("10.0.0.57/24")
			tftp("silent")(f)
		}, WrongVLANServer, Fail, "eth1"},
		{"address in use", all(func(f *Facts) { f.Lease.InUseBy = "aa:bb:cc:00:11:22" }, noServerStep), AddressInUse, Warn, "aa:bb:cc:00:11:22"},
		{"address in use, and no other", all(func(f *Facts) {
			f.Lease.InUseBy, f.Request = "aa:bb:cc:00:11:22", &Request{Result: InUse}
		}, noServerStep), AddressInUse, Fail, "no other that is free"},
		{"address in use, and another one is given", func(f *Facts) {
			f.Request = &Request{Result: Acked, Declined: netip.MustParseAddr("192.168.1.50"), Holder: "aa:bb:cc:00:11:22"}
		}, AddressInUse, Warn, "was given 192.168.1.199"},
		{"nak", all(func(f *Facts) { f.Request = &Request{Result: "nak", Message: "wrong network"} }, noServerStep), Nak, Fail, "wrong network"},
		{"no ack", all(func(f *Facts) { f.Request = &Request{Result: "no answer"} }, noServerStep), NoAck, Fail, ""},

		{"no next-server at all", all(setBoot("next-server", "", "", ""), noServerStep), NoNextServer, Fail, "dhcp-boot=pxelinux.0,,"},
		{"no next-server, DHCP server has no TFTP", all(setBoot("next-server", "192.168.1.1", "54", ""), tftp("closed"), otherTFTP(true)), NoNextServer, Fail, "192.168.1.2"},
		{"no next-server, works", setBoot("next-server", "192.168.1.1", "54", ""), NoNextServer, Warn, "other ROMs"},
		{"no filename", bootless, NoFilename, Fail, "next-server 192.168.1.166; filename \"pxelinux.0\";"},
		{"neither", all(setBoot("next-server", "192.168.1.1", "54", ""), bootless), NoFilename, Fail, ""},
		{"0xff", setBoot("boot file", "pxelinux.0", "67", `"pxelinux.0\xff"`), FilenameGarbage, Warn, "option 67"},
		{"NUL is none", setBoot("boot file", "pxelinux.0", "67", `"pxelinux.0\x00\x00"`), Fine, OK, ""},
		{"space, nothing found", all(setBoot("boot file", "pxelinux.0 ", "file", ""), nothingFound("not found")), FilenameGarbage, Fail, ""},

		{"iPXE is not answered", all(nothingFound("not found"), func(f *Facts) {
			f.Lease.BootFile, f.Variants = "undionly.kpxe", []Variant{{Name: AskedIPXE}}
		}), IPXENotServed, Fail, "user class"},
		{"iPXE is not answered, and PXELINUX boots", func(f *Facts) {
			f.Lease.BootFile, f.Variants, f.Boot.Program = "undionly.kpxe", []Variant{{Name: AskedIPXE}}, plan.PXELINUX
		}, IPXENotServed, Warn, "PXELINUX's configuration"},
		{"iPXE is given iPXE", all(nothingFound("not found"), ipxe("ipxe.pxe")), IPXELoop, Fail, "dhcp-boot=tag:!ipxe,undionly.kpxe"},
		{"iPXE is given a script", all(ipxe("boot.ipxe"), func(f *Facts) { f.Boot.Program = plan.IPXE }), Fine, OK, ""},
		{"iPXE's script is missing", all(ipxe("boot.ipxe"), nothingFound("not found"), func(f *Facts) { f.Search = f.Search[:1] }), NoConfig, Fail, "that DHCP names to iPXE"},
		{"iPXE's script fails", all(ipxe("boot.ipxe"), label(plan.Boot{Program: plan.IPXE, Error: "boot.ipxe:2: kernel x: no"})), NotBootable, Fail, "boot.ipxe:2"},
		{"iPXE's initrd is missing", all(ipxe("boot.ipxe"), file(1, "not found"), func(f *Facts) { f.Boot.Program = plan.IPXE }), InitrdMissing, Fail, "the script's directory"},

		{"no such machine", all(tftp("unreachable"), func(f *Facts) { f.NextServer.MAC = "" }), NextServerUnreachable, Fail, "ARP"},
		{"no such machine, another has it", all(tftp("silent"), func(f *Facts) { f.NextServer.MAC = "" }, otherTFTP(true)), NextServerUnreachable, Fail, "dhcp-boot=pxelinux.0,,192.168.1.2"},
		{"no router", all(tftp("unreachable"), func(f *Facts) { f.NextServer.Route, f.NextServer.MAC = "none", "" }), NextServerUnreachable, Fail, "option 3"},
		{"router is dead", all(tftp("silent"), func(f *Facts) { f.NextServer.Route, f.NextServer.MAC = "router", "" }), NextServerUnreachable, Fail, "router"},
		{"network says no", tftp("unreachable"), NextServerUnreachable, Fail, "no route"},
		{"dom0 has no route", all(tftp("unreachable"), func(f *Facts) { f.Subject.Net = "dom0" }), NextServerUnreachable, Fail, "--net guest"},
		{"wrong machine", all(tftp("closed"), otherTFTP(false)), NextServerWrong, Fail, "192.168.1.2"},
		{"another address of the right machine", all(tftp("closed"), otherTFTP(true), func(f *Facts) {
			f.Others[0].MAC, f.Others[0].Route = f.NextServer.MAC, RouteDirect
		}), NextServerWrong, Fail, "both answer ARP"},
		{"the server's firewall", all(tftp("unreachable"), rejected("192.168.1.166", 13)), FirewallRejects, Fail, "192.168.1.166 itself says"},
		{"a router's firewall, as of a closed port", all(tftp("unreachable"), rejected("192.168.1.1", 3)), FirewallRejects, Fail, "not that server but 192.168.1.1 says"},
		{"a router knows no way", all(tftp("unreachable"), rejected("192.168.1.1", 1)), NextServerUnreachable, Fail, "192.168.1.1 says: host unreachable"},
		{"the firewall of the kernel's server", all(file(0, "unreachable"), func(f *Facts) {
			f.Files[0].URL, f.Files[0].Rejected = "http://192.168.1.5/linux", rejection("192.168.1.5", "192.168.1.5", 10)
		}), FirewallRejects, Fail, "TCP to the port"},
		{"the firewall of the initrd's server", all(file(1, "unreachable"), func(f *Facts) {
			f.Files[1].Rejected = rejection("192.168.1.1", "192.168.1.166", 13)
		}), FirewallRejects, Fail, "UDP to port 69"},
		{"the firewall of the configuration's server", all(nothingFound("unreachable"), func(f *Facts) {
			f.Search[0].URL, f.Search[0].Rejected = "http://192.168.1.5/x", rejection("192.168.1.5", "192.168.1.5", 13)
		}), FirewallRejects, Fail, "TCP to the port"},
		{"next-server is the guest itself", all(tftp("closed"), func(f *Facts) { f.NextServer.Address = f.Lease.Address.Addr() }, otherTFTP(true)), NextServerWrong, Fail, "next-server 192.168.1.2"},
		{"next-server is the broadcast address", all(tftp("unreachable"), func(f *Facts) { f.NextServer.Address, f.NextServer.MAC = netip.MustParseAddr("192.168.1.255"), "" }), NextServerWrong, Fail, "no machine can be asked"},
		{"the broadcast address is offered", func(f *Facts) { f.Lease.Address = netip.MustParsePrefix("192.168.1.255/24") }, AddressUnusable, Fail, "netmask"},
		{"the network's own address is offered", func(f *Facts) { f.Lease.Address = netip.MustParsePrefix("192.168.1.0/24") }, AddressUnusable, Fail, "pool"},
		{"a network of two", func(f *Facts) { f.Lease.Address = netip.MustParsePrefix("192.168.1.166/31") }, Fine, OK, ""},
		{"no ARP, and DHCP", all(tftp("unreachable"), func(f *Facts) { f.NextServer.MAC, f.Offers[0].From = "", f.NextServer.Address }), NextServerUnreachable, Fail, "arp_ignore"},
		{"a netmask that is too wide", all(tftp("unreachable"), func(f *Facts) { f.NextServer.MAC, f.NextServer.ByRouter = "", true }), NextServerUnreachable, Fail, "correct the netmask"},
		{"the router is the guest itself", all(tftp("unreachable"), func(f *Facts) {
			f.NextServer.MAC, f.NextServer.Route, f.Lease.Router = "", RouteRouter, f.Lease.Address.Addr()
		}), NextServerUnreachable, Fail, "option 3"},
		{"the router is in another network", all(tftp("unreachable"), func(f *Facts) {
			f.NextServer.MAC, f.NextServer.Route, f.Lease.Router = "", RouteRouter, netip.MustParseAddr("192.168.7.1")
		}), NextServerUnreachable, Fail, "or the netmask"},
		{"wrong machine with TFTP", all(nothingFound("not found"), func(f *Facts) { f.NextServer.HasFile = false }, otherTFTP(true)), NextServerWrong, Fail, "192.168.1.2"},
		{"TFTP does not run", tftp("closed"), TFTPNotRunning, Fail, "systemctl"},
		{"TFTP silent", tftp("silent"), TFTPSilent, Fail, "firewall"},
		{"TFTP behind a router silent", all(tftp("silent"), func(f *Facts) { f.NextServer.Route = "router" }), TFTPSilent, Fail, "the way back to"},
		{"TFTP from another address", all(tftp("silent"), func(f *Facts) { f.NextServer.AnswersFrom = netip.MustParseAddr("192.168.1.168") }), TFTPOtherAddress, Fail, "next-server 192.168.1.168"},
		{"TFTP goes silent", nothingFound("silent"), TFTPSilent, Fail, ""},
		{"TFTP refuses", nothingFound("refused"), TFTPRefused, Fail, "Permission denied"},
		{"TFTP refuses one", func(f *Facts) { f.Search[0].Result = "refused" }, TFTPRefused, Warn, ""},

		{"empty", nothingFound("empty"), ConfigEmpty, Fail, "0 bytes"},
		{"one is empty", func(f *Facts) { f.Search[0].Result = "empty" }, ConfigEmpty, Warn, ""},
		{"misnamed", all(nothingFound("not found"), func(f *Facts) {
			f.Search = append(f.Search, plan.Try{URL: "tftp://h/x", Result: "found", Meant: "upper case"})
		}),
			ConfigMisnamed, Fail, "01-00-16-3e-72-79-e3"},
		{"misnamed, default found", func(f *Facts) {
			f.Search = append(f.Search, plan.Try{URL: "tftp://h/x", Result: "found", Meant: "upper case"})
		}, ConfigMisnamed, Warn, ""},
		{"include fails", all(func(f *Facts) { f.Config.Error = "no answer" }, noBoot), ConfigUnreadable, Fail, "no answer"},
		{"error", nothingFound("error"), ConfigUnreadable, Fail, ""},
		{"no config", nothingFound("not found"), NoConfig, Fail, "3 names"},
		{"no config, no boot file", all(nothingFound("not found"), func(f *Facts) { f.NextServer.HasFile = false }), NoConfig, Fail, "root directory"},

		{"UTF-16", all(prompts, lint(pxelinux.UTF16, "")), NoDefault, Fail, "iconv"},
		{"a byte order mark", all(prompts, lint(pxelinux.ByteOrderMark, "")), NoDefault, Fail, "sed -i"},
		{"DEFAULT misspelt", all(file(0, "not found"), lint(pxelinux.DefaultNoLabel, "DEFAULT linux"), func(f *Facts) {
			f.Config.Default, f.Boot.Label = "linus", ""
		}), LabelMissing, Fail, "write in f:3: DEFAULT linux"},
		{"KERNEL=", all(file(0, "not found"), lint(pxelinux.EqualsSign, "KERNEL k")), KernelMissing, Fail, "write in f:3: KERNEL k"},
		{"a space in a name", all(file(0, "refused"), lint(pxelinux.KernelWords, "")), FileUnreadable, Fail, "without spaces"},
		{"initrd= and a space", all(file(1, "refused"), lint(pxelinux.InitrdEmpty, "APPEND initrd=i")), FileUnreadable, Fail, "write in f:3: APPEND initrd=i"},
		{"a line of who knows which label", all(file(0, "not found"), lint(pxelinux.EqualsSign, "KERNEL k"), func(f *Facts) {
			f.Config.Labels = []string{"linux", "rescue"}
		}), KernelMissing, Fail, "put it there"},
		{"configuration too large", nothingFound("too large"), ConfigUnreadable, Fail, "16.0 MiB"},
		{"option 210 without a slash", all(nothingFound("not found"), func(f *Facts) { f.Lease.PathPrefix = "boot" }), NoConfig, Fail, "dhcp-option-force=210,boot/"},
		{"a boot file with an underscore", all(nothingFound("not found"), func(f *Facts) { f.Lease.BootFile = "a/my_pxelinux.0" }), NoConfig, Fail, "dhcp-boot=a/my-pxelinux.0,,"},
		{"a boot file with backslashes", all(nothingFound("not found"), func(f *Facts) { f.Lease.BootFile = `x\pxelinux.0` }), NoConfig, Fail, "put one there"},
		{"another program's boot file with an underscore", all(nothingFound("not found"), func(f *Facts) { f.Lease.BootFile = "grub_x64.efi" }), NoConfig, Fail, "put one there"},
		{"the boot file is in pxelinux.cfg", all(nothingFound("not found"), func(f *Facts) {
			f.Lease.BootFile = "x/pxelinux.cfg/pxelinux.0"
			f.Search = append(f.Search, plan.Try{URL: "x", Result: "found", Meant: "not in pxelinux.cfg"})
		}), ConfigMisnamed, Fail, "dhcp-boot=x/pxelinux.0,,"},
		{"no default", all(label(plan.Boot{Outcome: "prompt", Error: "no DEFAULT"}, "linux"), func(f *Facts) { f.Config.Default = "" }), NoDefault, Fail, "--label linux"},
		{"--label", label(plan.Boot{Outcome: "error", Named: "rescu"}, "rescue"), LabelMissing, Fail, "rescue"},
		{"--label with more words", func(f *Facts) { f.Boot.Named = f.Boot.Label + " quiet" }, Fine, OK, ""},
		{"DEFAULT names no label", all(file(0, "not found"), func(f *Facts) { f.Config.Labels, f.Boot.Label = []string{"Linux"}, "" }), LabelMissing, Fail, "Linux"},
		{"DEFAULT of another file", all(file(0, "not found"), func(f *Facts) {
			f.Config.Labels, f.Config.DefaultAt, f.Boot.Label = []string{"Linux"}, "tftp://h/more.cfg:7", ""
		}), LabelMissing, Fail, "DEFAULT stands in tftp://h/more.cfg:7"},
		{"an INCLUDE that is missing", all(label(plan.Boot{Outcome: "prompt", Error: "no DEFAULT"}, "linux"), func(f *Facts) {
			f.Config.Default, f.Config.Findings = "", []pxelinux.Finding{{File: "default", Line: 2, Text: "TEXT", Code: pxelinux.TextOpen}, {File: "default", Line: 3, Text: "not there", Code: pxelinux.IncludeMissing}}
		}), NoDefault, Fail, "the label linux; default:3: not there"},
		{"com32", label(plan.Boot{Outcome: "com32", Label: "hdt", Kernel: "hdt.c32", Error: "a module"}, "hdt", "linux"), COM32Only, Fail, "hdt and linux"},
		{"boot program", label(plan.Boot{Outcome: "chainboot", Kernel: "x.0"}, "x"), BootProgram, Fail, "x.0"},
		{"not bootable", label(plan.Boot{Outcome: "error", Error: "TIMEOUT boots a submenu"}, "linux"), NotBootable, Fail, "submenu"},
		{"problems", func(f *Facts) {
			f.Config.Findings = []plan.Finding{{File: "default", Line: 3, Text: "APEND", Severity: pxelinux.SeverityWarning}}
		}, ConfigProblems, Warn, "default:3"},
		{"a problem of a menu's own file", func(f *Facts) { f.Boot.Warnings = []string{"tftp://h/menu:3: APEND"} }, ConfigProblems, Warn, "menu:3"},

		{"large blocks", func(f *Facts) {
			f.Files[0].Blocks = []plan.Block{{Size: 1468, Arrives: false}, {Size: 512, Arrives: true}}
		}, TFTPLargeBlocks, Warn, "1468"},
		{"large blocks of the configuration", all(nothingFound("silent"), func(f *Facts) {
			f.Search[0].Blocks = []plan.Block{{Size: 1468, Arrives: false}, {Size: 512, Arrives: true}}
		}), TFTPLargeBlocks, Fail, "512"},
		{"blocks of all sizes", all(file(0, "silent"), func(f *Facts) {
			f.Files[0].Blocks = []plan.Block{{Size: 1468, Arrives: true, Asked: 3, Lost: 2}, {Size: 512, Arrives: true, Asked: 6, Lost: 2}}
		}), PacketLoss, Fail, "2 of 3 did not come with 1468 bytes and 2 of 6"},
		{"TFTP packets get lost, and there is no time", all(lossy, func(f *Facts) {
			f.Files[0].Seconds, f.Limits, f.Files[0].Packets, f.Files[0].Lost = 300, &Limits{Seconds: 60}, 100, 20
		}), PacketLoss, Fail, "--timeout gives"},
		{"few TFTP packets get lost, and there is no time", all(lossy, func(f *Facts) {
			f.Files[0].Seconds, f.Limits, f.Files[0].Packets, f.Files[0].Lost = 300, &Limits{Seconds: 60}, 233, 6
		}), TooSlow, Fail, "--timeout gives"},
		{"large blocks only", all(file(0, "silent"), func(f *Facts) {
			f.Files[0].Blocks = []plan.Block{{Size: 1468, Arrives: false}, {Size: 512, Arrives: true}}
		}), TFTPLargeBlocks, Fail, "--blocksize 512"},
		{"kernel missing", file(0, "not found"), KernelMissing, Fail, "debian/linux"},
		{"kernel missing, ONERROR", all(file(0, "not found"), func(f *Facts) { f.Boot.Instead = "label rescue" }), KernelMissing, Warn, ""},
		{"initrd missing", file(1, "not found"), InitrdMissing, Fail, "initrd.gz"},
		{"kernel refused", file(0, "refused"), FileUnreadable, Fail, "chmod"},
		{"initrd refused", file(1, "refused"), FileUnreadable, Fail, "initrd.gz"},
		{"data ports are blocked", all(nothingFound("silent"), func(f *Facts) { f.Search[0].Reason, f.Search[0].Message = plan.DataBlocked, "OACK again" }), TFTPDataBlocked, Fail, "nf_conntrack_tftp"},
		{"blocks that were not agreed to", all(file(0, "silent"), func(f *Facts) { f.Files[0].Reason = plan.NoOACK }), TFTPNoOACK, Fail, "--refuse blksize"},
		{"blocks that were not agreed to, and then small ones", all(lossy, func(f *Facts) { f.Files[0].Reason = plan.NoOACK }), TFTPNoOACK, Warn, "slowly"},
		{"two answer ARP", all(tftp("silent"), func(f *Facts) { f.NextServer.OtherMAC = "02:00:00:00:00:07" }), DuplicateAddress, Fail, "02:00:00:00:00:07"},
		{"one offers, and another answers ARP", func(f *Facts) {
			f.Offers[0].From, f.Offers[0].ServerMAC, f.Offers[0].Relay = f.NextServer.Address, "02:00:00:00:00:07", netip.Addr{}
		}, DuplicateAddress, Warn, "the offer comes from 02:00:00:00:00:07"},
		{"a virtual router", func(f *Facts) {
			f.Offers[0].From, f.Offers[0].ServerMAC, f.Offers[0].Relay = f.NextServer.Address, "00:00:5e:00:01:07", netip.Addr{}
		}, Fine, OK, ""},
		{"frames of 1500 bytes get lost, and PXELINUX's do not", all(lossy, func(f *Facts) {
			f.Files[0].Blocks = []plan.Block{{Size: 1468}, {Size: 1408, Arrives: true}}
		}), Fine, OK, ""},
		{"a name without DNS", named(nil), NoDNS, Fail, "option 6"},
		{"a name, and a silent DNS server", named(&NameServer{Silent: true, Message: "no answer"}), DNSSilent, Fail, "10.0.0.53: no answer"},
		{"a name that DNS does not know", named(&NameServer{Message: "no address"}), DNSNoAddress, Fail, "host-record=mirror.example,ADDRESS"},
		{"kernel's certificate has expired", failsBy("kernel", plan.CertExpired), TLSExpired, Fail, "renew the certificate on 192.168.1.166"},
		{"kernel's certificate is signed by whom?", failsBy("kernel", plan.UnknownCA), TLSUnknownCA, Fail, "--ca FILE"},
		{"initrd's certificate is another server's", failsBy("initrd", plan.CertName), TLSWrongName, Fail, "a certificate for 192.168.1.166"},
		{"no web server for the initrd", failsBy("initrd", plan.PortClosed), HTTPRefused, Fail, "systemctl status nginx"},
		{"no TLS", failsBy("kernel", plan.NoTLS), FileUnreachable, Fail, "say http://"},
		{"no web server for the configuration", all(nothingFound("unreachable"), func(f *Facts) {
			f.Search[0].URL, f.Search[0].Reason = "http://192.168.1.166/pxelinux.cfg/default", plan.PortClosed
		}), HTTPRefused, Fail, "the configuration is to come from http://192.168.1.166/"},
		{"kernel wants a password", all(failsBy("kernel", plan.NoLogin), file(0, "refused")), FileUnreadable, Fail, "USER:PASSWORD@"},
		{"kernel's server is away", file(0, "unreachable"), FileUnreachable, Fail, ""},
		{"kernel empty", file(0, "empty"), FileTruncated, Fail, "0 bytes"},
		{"initrd short", all(file(1, "short"), func(f *Facts) { f.Files[1].Bytes, f.Files[1].Read = 10, 5 }), FileTruncated, Fail, "5 came"},
		{"kernel cut off", kernelIs(Kernel{Format: "bzImage", Linux: true, Wants: 9e6}), FileTruncated, Fail, "9000000"},
		{"not a kernel", kernelIs(Kernel{Format: "an HTML page"}), KernelNotLinux, Fail, "HTML"},
		{"a packed part that is none", func(f *Facts) { f.Files[0].Misfit = &Misfit{"Xen can't read it: unpack xz", "again"} }, KernelDamaged, Fail, "unpack xz"},
		{"an EFI program", func(f *Facts) {
			f.Files[0].Kernel, f.Files[0].Misfit = &Kernel{Format: "EFI program"}, &Misfit{"an EFI program, and no kernel", "serve the kernel itself"}
		}, KernelNotLinux, Fail, "serve the kernel itself"},
		{"an EFI program for an HVM guest", all(kernelIs(Kernel{Format: "EFI program"}), guestType(xenout.HVM)), Fine, OK, ""},
		{"initrd is a page", func(f *Facts) { f.Files[1].Misfit = &Misfit{"a page of HTML, and no initrd", "see"} }, InitrdWrong, Fail, "HTML"},
		{"initrd is a text", func(f *Facts) { f.Files[1].Kind = "text" }, InitrdWrong, Warn, "begins with text"},
		{"wrong arch", all(kernelIs(Kernel{Format: "Image", Linux: true, Arch: "arm64"}), func(f *Facts) { f.Subject.Machine = "x86_64" }), KernelWrongArch, Fail, "arm64"},
		{"32 bits", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Arch: "i386 PAE", Looked: true, PV: true}), func(f *Facts) { f.Subject.Machine = "x86_64" }), Fine, OK, ""},
		{"nobody answers a made-up MAC", all(silence, func(f *Facts) { f.Subject.Random = true }), NoServer, Fail, "--mac"},
		{"the answer to a name gets lost, and comes when it is asked again", all(nothingFound("silent"), func(f *Facts) {
			f.Search[0].Blocks = []plan.Block{{Size: 1468, Arrives: true, Asked: 1, All: true}, {Size: 512, Arrives: true, Asked: 6, All: true}}
		}), PacketLoss, Fail, "answered at once"},
		{"TFTP packets get lost", all(lossy), PacketLoss, Warn, "5 packets of 400"},
		{"TFTP packets get lost until there is no time", all(lossy, file(1, "silent")), PacketLoss, Fail, "5 packets of 400"},
		{"few TFTP packets get lost", all(lossy, func(f *Facts) { f.Files[0].Lost = 2 }), Fine, OK, ""},
		{"a storm, and nobody answers", func(f *Facts) { *f = Facts{Storm: &Storm{Count: 5, PerSec: 9, Lost: 5}} }, StormLoss, Fail, "known guests only"},
		{"a file system that is read-only", func(f *Facts) { f.Space.ReadOnly = true }, NoSpace, Fail, "read-only"},
		{"a hypervisor", kernelIs(Kernel{Format: "multiboot kernel"}), KernelNotLinux, Fail, "guest's Linux kernel"},
		{"kernel of a name, without DNS", all(file(0, "silent"), func(f *Facts) { f.Files[0].URL = "http://mirror.example/linux"; f.Lease.DNS = nil }), NoDNS, Fail, "option 6"},
		{"32 bits without PAE", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Arch: "i386", Looked: true, PV: true}), func(f *Facts) { f.Subject.Machine = "x86_64" }), KernelWrongArch, Fail, "CONFIG_X86_PAE"},
		{"32 bits without PAE for PVH", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Arch: "i386", Looked: true, PV: true, PVH: true}), func(f *Facts) { f.Subject.Machine = "x86_64" }), Fine, OK, ""},
		{"not for Xen", kernelIs(Kernel{Format: "bzImage", Linux: true, Looked: true}), KernelNoXen, Fail, "CONFIG_XEN_PV"},
		{"not looked", kernelIs(Kernel{Format: "bzImage", Linux: true}), Fine, OK, ""},
		{"zstd, and an old Xen", all(xen("4.13"), kernelIs(Kernel{Linux: true, Looked: true, PV: true, Packing: "zstd", NeedsXen: "4.15"})), KernelPacking, Fail, "gzip"},
		{"zstd, and a new Xen", all(xen("4.17"), kernelIs(Kernel{Linux: true, Looked: true, PV: true, Packing: "zstd", NeedsXen: "4.15"})), Fine, OK, ""},
		{"zstd, and who knows", kernelIs(Kernel{Linux: true, Looked: true, PV: true, Packing: "zstd", NeedsXen: "4.15"}), Fine, OK, ""},
		{"PAE kernel", kernelIs(Kernel{Linux: true, Looked: true, PV: true, Arch: "i386 PAE"}), Fine, OK, ""},
		{"PVH only", kernelIs(Kernel{Format: "bzImage", Linux: true, Looked: true, PVH: true}), KernelNoXen, Warn, `type="pvh"`},
		{"PVH only, in a PVH guest", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Looked: true, PVH: true}), guestType(xenout.PVH)), Fine, OK, ""},
		{"PVH only, in a PV guest", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Looked: true, PVH: true}), guestType(xenout.PV)), KernelNoXen, Fail, `type="pvh"`},
		{"PV only, in a PVH guest", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Looked: true, PV: true}), guestType(xenout.PVH)), KernelNoXen, Fail, `type="pv"`},
		{"PV only, in a shim", all(kernelIs(Kernel{Format: "bzImage", Linux: true, Looked: true, PV: true}), guestType(xenout.PVShim)), Fine, OK, ""},
		{"args", func(f *Facts) { f.Args.Bytes, f.Args.Shortened = 2000, 1500 }, ArgsTooLong, Fail, "2000"},
		{"args, shortened", func(f *Facts) { f.Args.Bytes, f.Args.Shortened = 1100, 1000 }, ArgsTooLong, Warn, "1100"},
		{"space", func(f *Facts) { f.Space.Free = 1000 }, NoSpace, Fail, "48.6 MiB"},
		{"ip= of another network", func(f *Facts) { f.Subject.IP = "10.0.0.7" }, VIFAddress, Warn, "ip=10.0.0.7"},
		{"ip= of the lease", func(f *Facts) { f.Subject.IP = f.Lease.Address.String() }, Fine, OK, ""},
		{"ip=, and no lease", all(func(f *Facts) { f.Subject.IP = "10.0.0.7" }, silence), NoServer, Fail, ""},
		{"slow", func(f *Facts) { f.Files[1].Seconds = 300 }, TooSlow, Fail, "5 min"},
		{"slow, and --timeout allows it", func(f *Facts) { f.Files[1].Seconds, f.Limits = 300, &Limits{Seconds: 600} }, TooSlow, Warn, "libxl gives a restricted bootloader 110 s"},
		{"slower than --timeout", func(f *Facts) { f.Files[1].Seconds, f.Limits = 60, &Limits{Seconds: 30} }, TooSlow, Fail, "--timeout gives 30 s"},
		{"a large kernel", func(f *Facts) { f.Limits = &Limits{Kernel: 1 << 20} }, FileTooLarge, Fail, "--max-kernel is 1.0 MiB"},
		{"large initrds", func(f *Facts) { f.Limits = &Limits{Kernel: 1 << 30, Initrd: 1 << 20} }, FileTooLarge, Fail, "or say --max-initrd"},
		{"within the limits", func(f *Facts) { f.Limits = &Limits{Kernel: 1 << 30, Initrd: 1 << 30, Seconds: 110} }, Fine, OK, ""},

		{"another VLAN's server", func(f *Facts) {
			f.Heard = []Heard{{VLAN: 20, Server: tftpServer, MAC: "aa:bb:cc:00:11:22", Type: "OFFER"}}
		},
			WrongVLANServer, Warn, "OFFER to another machine has the tag of VLAN 20 (MAC aa:bb:cc:00:11:22)"},
		{"another VLAN's server on a trunk", func(f *Facts) {
			f.Bridge.Networks = nil
			f.Subject.VLAN, f.Heard = 10, []Heard{{VLAN: 20, Server: tftpServer, MAC: "aa:bb:cc:00:11:22", Type: "OFFER"}}
		}, Fine, OK, ""},
		{"another VLAN's server answers the guest", func(f *Facts) {
			f.Bridge.Networks = nil
			f.Subject.VLAN, f.Heard = 10, []Heard{{VLAN: 20, Server: tftpServer, Type: "OFFER"}, {Server: tftpServer, Type: "OFFER", ToGuest: true}}
		}, WrongVLANServer, Warn, "OFFER to this guest has no tag"},
		{"an OFFER that can't be read", all(answered(Variant{Name: AskedInform}), func(f *Facts) {
			f.Unreadable = []Unreadable{{tftpServer, "aa:bb:cc:00:11:22", "OFFER", "an option ends behind its field"}}
		}),
			OfferUnreadable, Fail, "its OFFER (MAC aa:bb:cc:00:11:22): an option ends"},
		{"an OFFER that can't be read, and one that can", func(f *Facts) { f.Unreadable = []Unreadable{{tftpServer, "aa:bb:cc:00:11:22", "OFFER", "x"}} }, OfferUnreadable, Warn, "--pcap"},
		{"other guests of a capture", func(f *Facts) { f.Guests = []Guest{{MAC: f.Subject.MAC, PXE: true}, {MAC: "00:16:3e:00:00:07"}} }, Fine, OK, ""},
		{"storm", func(f *Facts) { f.Storm = &Storm{Count: 100, Answered: 90, Lost: 10, PerSec: 50} }, StormLoss, Warn, "50"},

		// Two causes: the earlier one is named.
		{"no uplink and a bad pool", all(noPorts, silence), NoUplink, Fail, ""},
		{"no filename and TFTP silent", all(setBoot("boot file", "", "", ""), tftp("silent")), NoFilename, Fail, ""},
		{"TFTP silent and kernel missing", all(file(0, "not found"), func(f *Facts) { f.NextServer.TFTP = "silent" }), TFTPSilent, Fail, ""},
		{"kernel missing and no space", all(func(f *Facts) { f.Space.Free = 1 }, file(0, "not found")), KernelMissing, Fail, ""},
		{"kernel and initrd missing", all(file(0, "not found"), file(1, "not found")), KernelMissing, Fail, ""},
		{"a warning and a later failure", all(inUse, file(1, "not found")), InitrdMissing, Fail, ""},
		{"two warnings", all(inUse, func(f *Facts) { f.Boot.Warnings = []string{"odd"} }), MACInUse, Warn, ""},
		{"rogue and kernel not for Xen", all(second("192.168.1.250", "192.168.1.57/24", "192.168.1.250", "x.kpxe"), kernelIs(Kernel{Linux: true, Looked: true})), KernelNoXen, Fail, ""},
		{"garbage and TFTP silent", all(setBoot("boot file", "pxelinux.0 ", "file", ""), tftp("silent")), TFTPSilent, Fail, ""},
		{"empty and misnamed", all(nothingFound("empty"), func(f *Facts) { f.Search = append(f.Search, plan.Try{URL: "x", Result: "found", Meant: "upper case"}) }), ConfigEmpty, Fail, ""},
	}
}

func TestDiagnose(t *testing.T) {
	for _, test := range brokenLabs() {
		t.Run(test.name, func(t *testing.T) {
			f := example(t, "healthy")
			test.change(&f)
			r := Diagnose(f)
			if r.Verdict.Code != test.code || r.Status() != test.status {
				t.Fatalf("%s, %s; want %s, %s\n%+v", r.Status(), r.Verdict.Code, test.status, test.code, r)
			}
			v := r.Verdict
			if !strings.Contains(v.Evidence+"\n"+v.Hint, test.says) {
				t.Errorf("%q is not in the evidence %q nor in the hint %q", test.says, v.Evidence, v.Hint)
			}
			if v.Summary == "" || strings.Contains(v.Summary, "\n") || strings.Contains(v.Evidence, "\n") {
				t.Errorf("want one line each: %+v", v)
			}
			if test.code != Fine && (v.Hint == "" || v.Evidence == "") {
				t.Errorf("no hint or no evidence: %+v", v)
			}
		})
	}
}

// named has the kernel be on a server of a name, of which that DNS server says so.
func named(s *NameServer) func(*Facts) {
	return func(f *Facts) {
		f.Files[0].URL, f.Files[0].Result = "http://mirror.example/linux", plan.NotFound
		n := Name{Name: "mirror.example", Millis: 5000}
		if f.Lease.DNS = nil; s != nil {
			s.Address = netip.MustParseAddr("10.0.0.53")
			f.Lease.DNS, n.Failed = []netip.Addr{s.Address}, []NameServer{*s}
		}
		f.Names = []Name{n}
	}
}

// failsBy has the server of a file fail for this reason.
func failsBy(role string, reason plan.Reason) func(*Facts) {
	return func(f *Facts) {
		file := f.file(role)
		file.URL, file.Result, file.Reason = "https://192.168.1.166/"+role, plan.Failed, reason
	}
}

// A step that is shown while a look goes on stays what it is.
func TestStepsStay(t *testing.T) {
	held := 0
	for _, test := range brokenLabs() {
		f := example(t, "healthy")
		test.change(&f)
		list := Diagnose(f).Steps
		end := func(name string) Step {
			if s := firstOf(list, func(s Step) bool { return s.Name == name }); s != nil {
				return *s
			}
			return Step{}
		}
		cut := Facts{Began: f.Began, Subject: f.Subject, Bridge: f.Bridge, Limits: f.Limits}
		for _, then := range []func(){
			func() {},
			func() { // DHCP
				cut.Events, cut.Offers, cut.ARPForAll, cut.Waited, cut.Variants = f.Events, f.Offers, f.ARPForAll, f.Waited, f.Variants
				cut.Unsteady, cut.Merged, cut.Lease, cut.Request = f.Unsteady, f.Merged, f.Lease, f.Request
				cut.SilentProxies, cut.Heard, cut.Unreadable = f.SilentProxies, f.Heard, f.Unreadable
			},
			func() { cut.NextServer, cut.Others = f.NextServer, f.Others },
			func() { cut.Search, cut.Names, cut.Config, cut.Boot = f.Search, f.Names, f.Config, f.Boot },
			func() { cut.Files = f.Files[:min(len(f.Files), 1)] },
		} {
			then()
			for _, s := range Diagnose(cut).Steps {
				if s.Open {
					held++
					break
				}
				if last := end(s.Name); last.Status != s.Status || last.Detail != s.Detail {
					t.Errorf("%s: %s %s: %s was shown, and in the end it is %s: %s", test.name, s.Name, s.Status, s.Detail, last.Status, last.Detail)
				}
			}
		}
	}
	t.Logf("%d times a line was held back", held)
}

// Of a capture with many guests the others are named.
func TestOtherGuests(t *testing.T) {
	f := example(t, "healthy")
	f.Guests = []Guest{{MAC: "00:16:3e:00:00:07"}, {MAC: f.Subject.MAC, PXE: true}, {MAC: "00:16:3e:00:00:08", PXE: true}}
	want := Note{OtherGuests, "2 other machines ask for a lease in the capture besides " + f.Subject.MAC + "; --mac says whose boot is judged, of " +
		f.Subject.MAC + " (PXE), 00:16:3e:00:00:08 (PXE), 00:16:3e:00:00:07", nil}
	if notes := Diagnose(f).Notes; !slices.ContainsFunc(notes, func(n Note) bool { return cmp.Equal(n, want) }) {
		t.Errorf("%+v, want %+v", notes, want)
	}
}

// lossy is a way on which five packets of 400 get lost.
func lossy(f *Facts) { f.Files[0].Packets, f.Files[0].Lost = 400, 5 }

// xen is this release on the host.
func xen(release string) func(*Facts) { return func(f *Facts) { f.Subject.Xen = release } }

// Every code has a broken lab in a test of this package.
func TestEveryCauseIsTested(t *testing.T) {
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, name := range tests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	codes, err := os.ReadFile("report.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(codes)) {
		name, rest, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found || !strings.HasPrefix(strings.TrimSpace(rest), "Code = ") {
			continue
		}
		n++
		if !strings.Contains(string(source), name+", ") {
			t.Errorf("%s is in no test", name)
		}
	}
	if n < 40 || len(causes) < n-1 {
		t.Errorf("%d codes, %d causes", n, len(causes))
	}
}

// Every code stands in the documentation.
func TestEveryCodeIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/check.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range append(slices.Clone(causes), cause{code: Fine}, cause{code: TLSExpired}, cause{code: TLSUnknownCA}, cause{code: TLSWrongName},
		cause{code: HTTPRefused}, cause{code: NoDNS}, cause{code: DNSNoAddress}) {
		if !strings.Contains(string(docs), "`"+string(c.code)+"`") {
			t.Errorf("%s is not in docs/check.md", c.code)
		}
	}
}

func TestSteps(t *testing.T) {
	f := example(t, "healthy")
	f.Files[1].Result, f.Files[1].Message = "not found", "1 File not found"
	got := Diagnose(f).Steps
	want := []Step{
		{"bridge", OK, "xenbr0, uplink eth0, as the guest with a port of its own", 0, false},
		{"dhcp", OK, "192.168.1.1 offers 192.168.1.199/24, next-server 192.168.1.166 (siaddr), boot file pxelinux.0 (file)", 2.2, false},
		{"server", OK, "TFTP at 192.168.1.166 answers, in the guest's network", 1.1, false},
		{"config", OK, "tftp://192.168.1.166/pxelinux.cfg/01-00-16-3e-72-79-e3 (214 bytes, 2 labels, after 3 names)", 1.5, false},
		{"boot", OK, "label linux: tftp://192.168.1.166/debian/linux", 0, false},
		{"kernel", OK, "tftp://192.168.1.166/debian/linux, 7.6 MiB, bzImage 6.12.48+deb13-amd64 x86_64 for Xen PV and PVH, about 0.1 s", 0.8, false},
		{"initrd", Fail, "The initrd is not there", 0.7, true},
		{"args", OK, "71 bytes of 1023", 0, false},
		{"space", OK, "48.6 MiB needed in /var/run/xen/gopxeboot, 2.1 GiB free", 0, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		steps []Status
		want  int
	}{{nil, 0}, {[]Status{OK, OK}, 0}, {[]Status{OK, Warn}, 1}, {[]Status{Warn, Fail, OK}, 2}} {
		var r Report
		for _, s := range test.steps {
			r.Steps = append(r.Steps, Step{Status: s})
		}
		if got := r.ExitCode(); got != test.want {
			t.Errorf("%v: %d, want %d", test.steps, got, test.want)
		}
	}
}

// ipxe is that the ROM is given an iPXE, and that one this boot file.
func ipxe(file string) func(*Facts) {
	return func(f *Facts) { f.Lease.ROMBootFile, f.Lease.BootFile = "undionly.kpxe", file }
}

func guestType(t xenout.GuestType) func(*Facts) {
	return func(f *Facts) { f.Subject.GuestType = t }
}

// What neither breaks a boot nor is to be changed is a note. What lint and the
// boot program both found counts once.
func TestNotes(t *testing.T) {
	f := example(t, "healthy")
	f.Boot.Waits = true
	missing := func(file string) plan.Finding {
		return plan.Finding{File: file, Line: 2, Text: "INCLUDE x: not found", Code: pxelinux.IncludeMissing, Severity: pxelinux.SeverityWarning}
	}
	p := plan.New()
	p.Config, p.Boot = *f.Config, *f.Boot
	p.Config.Findings = []plan.Finding{missing("menu.cfg")}
	p.Boot.Findings = []plan.Finding{missing("tftp://h/menu.cfg"), missing("tftp://h/more.cfg")}
	p.Boot.Warnings = []string{p.Boot.Findings[0].String(), p.Boot.Findings[1].String()}
	f.Decided(p)
	r := Diagnose(f)
	if r.Verdict.Code != Fine || r.Status() != OK {
		t.Errorf("status %s, verdict %+v", r.Status(), r.Verdict)
	}
	want := []Note{
		{WaitsForever, "a real machine would wait at the prompt or the menu for a key, as there is no TIMEOUT above 0; this guest boots the highlighted entry at once", nil},
		{IncludeMissing, "2 INCLUDEs name files that are missing, as PXELINUX allows", []string{"menu.cfg:2: INCLUDE x: not found", "tftp://h/more.cfg:2: INCLUDE x: not found"}},
	}
	if diff := cmp.Diff(want, r.Notes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// One list of stanzas makes the hint's lines and the page's.
func TestHint(t *testing.T) {
	stanzas := bootStanzas(netip.MustParseAddr("192.168.1.166"), "pxelinux.0")
	const hint = "name it\n  dnsmasq:   dhcp-boot=pxelinux.0,,192.168.1.166\n  ISC dhcpd: next-server 192.168.1.166; filename \"pxelinux.0\";\n" +
		`  Kea:       "next-server": "192.168.1.166", "boot-file-name": "pxelinux.0"`
	want := &Verdict{Code: NoFilename, Summary: "s", Evidence: "e", Hint: hint, Advice: "name it", Stanzas: stanzas}
	if diff := cmp.Diff(want, broken("s", "e", "name it", stanzas...).verdict(NoFilename)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is to be written into a server's configuration is one line, whatever boot
// file a server on the wire names.
func TestStanzasAreLines(t *testing.T) {
	for _, file := range []string{"a\ndhcp-script=/tmp/x", "a\x1b[2J", "a,,10.0.0.1", `a"; include "/etc/x`, "a b", "a\u0085b", "\xff\xff"} {
		for _, s := range bootStanzas(netip.MustParseAddr("192.168.1.166"), file) {
			if strings.Contains(s.Text, file[:2]) || strings.ContainsFunc(s.Text, unicode.IsControl) {
				t.Errorf("%q: %s", file, s.Text)
			}
		}
	}
	if s := bootStanzas(netip.Addr{}, "debian-installer/amd64/pxelinux.0"); !strings.Contains(s[0].Text, "dhcp-boot=debian-installer/amd64/pxelinux.0,,") {
		t.Errorf("got %s", s[0].Text)
	}
}
