package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

const checkVIF = "mac=" + lab.SampleMAC + ",bridge=xenbr0"

// checkLab is a lab with DHCP and TFTP, whose tree it returns.
func checkLab(t *testing.T) (l *lab.Lab, tree string) {
	t.Helper()
	l = labtest.New(t, lab.Config{})
	tree = sampleTree(t)
	dhcp := lab.SampleDHCP()
	dhcp.First, dhcp.Last = netip.MustParseAddr("192.168.1.20"), netip.MustParseAddr("192.168.1.90")
	labtest.Check(t, l.Servers.ServeDHCP(dhcp))
	labtest.Check(t, l.Servers.ServeTFTP(tree))
	return l, tree
}

func TestCheckCommand(t *testing.T) {
	_, tree := checkLab(t)
	dir := t.TempDir()
	pcap, page := filepath.Join(dir, "boot.pcap"), filepath.Join(dir, "report.html")

	got := gopxeboot(t, "check", "--wait=0.3", "--pcap", pcap, "--report="+page, checkVIF)
	equal(t, "status of a lab that works", got.Code, 0)
	equal(t, "messages", got.Stderr, "")
	contains(t, got.Stdout, "ok    bridge  xenbr0, ", "ok    dhcp    192.168.1.166 offers 192.168.1.199/24", "ok    kernel  tftp://192.168.1.166/"+lab.SampleKernel,
		"\n\nThe guest would boot label linux. [ok]\n")
	text, err := os.ReadFile(page)
	labtest.Check(t, err)
	contains(t, string(text), "<html", lab.SampleMAC)

	// The capture tells the same, without a network.
	again := gopxeboot(t, "check", "--replay", pcap, "--mac="+lab.SampleMAC)
	contains(t, again.Stdout, "192.168.1.166 offers 192.168.1.199/24", "pxelinux.cfg/01-00-16-3e-72-79-e3")

	if err := os.Remove(filepath.Join(tree, lab.SampleKernel)); err != nil {
		t.Fatal(err)
	}
	got = gopxeboot(t, "check", "--wait=0.3", checkVIF)
	equal(t, "status of a broken lab", got.Code, 2)
	contains(t, got.Stdout, "FAIL  kernel  The kernel is not there (", "[kernel-missing]\nseen: ", "\ntry:  ")

	// Nobody knows a made-up guest, which gets an address and no configuration.
	got = gopxeboot(t, "check", "--wait=0.3", "--mac", "random")
	equal(t, "status for a made-up guest", got.Code, 2)
	contains(t, got.Stdout, "offers 192.168.1.20/24", "[no-config]")

	got = gopxeboot(t, "check", "--wait=0.5", "--count=20", "--rate=200")
	equal(t, "status of a storm", got.Code, 0)
	contains(t, got.Stdout, "20 of 20 answered at 200 a second, median ")
}

func TestCheckJSON(t *testing.T) {
	checkLab(t)
	got := gopxeboot(t, "check", "--json", "--quick", "--request", "--wait=0.3", checkVIF)
	equal(t, "status", got.Code, 0)
	var said map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.Stdout), &said); err != nil {
		t.Fatalf("%v: %s", err, got.Stdout)
	}
	for _, key := range []string{"steps", "verdict", "mac", "uuid", "guest_type", "net", "lease", "config", "outcome", "label", "waits", "kernel", "initrds", "args", "modules", "labels", "warnings", "facts"} {
		if _, ok := said[key]; !ok {
			t.Errorf("no %q", key)
		}
	}
	var verdict map[string]string
	if err := json.Unmarshal(said["verdict"], &verdict); err != nil {
		t.Fatal(err)
	}
	equal(t, "code", verdict["code"], "ok")
	for _, key := range []string{"summary", "evidence", "hint"} {
		if _, ok := verdict[key]; !ok {
			t.Errorf("no verdict.%s", key)
		}
	}
	var steps []map[string]any
	if err := json.Unmarshal(said["steps"], &steps); err != nil {
		t.Fatal(err)
	}
	var names []any
	for _, s := range steps {
		names = append(names, s["name"])
		if s["status"] != "ok" || s["detail"] == "" {
			t.Errorf("step %v", s)
		}
	}
	equal(t, "steps", names, []any{"bridge", "dhcp", "lease", "server", "config", "boot", "kernel", "initrd", "args", "space"})
}

// What a monitoring plugin calls unknown is 3, and never a verdict.
func TestCheckCouldNotLook(t *testing.T) {
	labtest.New(t, lab.Config{})
	for _, test := range []struct{ args, says string }{
		{"--bridge=nowhere " + checkVIF, "no such bridge: nowhere"},
		{"--watc", "no option --watc here: did you mean --watch?"},
		{"--mac=1:2", "MAC"},
		{"--count=-1", "--count"},
		{"--rate=0", "--rate"},
		{"--replay=/nowhere", "no such file"},
		{"--replay=/dev/null --watch", "asks none"},
		{"--replay=/dev/null", "--replay"},
		{"--report=/nowhere/x.html --wait=0.1 " + checkVIF, "--report"},
		{"--timeout=1 " + checkVIF, "--timeout"},
		{checkVIF + " mac=00:16:3e:00:00:02,bridge=xenbr0", "one vif at a time: 00:16:3e:72:79:e3, 00:16:3e:00:00:02"},
		{checkVIF + " 00:16:3e:00:00:02", "one vif at a time"},
	} {
		got := gopxeboot(t, append([]string{"check"}, strings.Fields(test.args)...)...)
		if got.Code != 3 || !strings.Contains(got.Stderr, test.says) || strings.Contains(got.Stderr, "eth0") {
			t.Errorf("%s: status %d, %s", test.args, got.Code, got.Stderr)
		}
	}
}

// With --json it prints a document for each verdict.
func TestCheckWatchJSON(t *testing.T) {
	checkLab(t)
	cmd := command(t.Context(), "check", "--watch", "--json", "--quick", "--wait=0.3", checkVIF)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got struct{ Verdict struct{ Code string } }
	if err := json.NewDecoder(out).Decode(&got); err != nil || got.Verdict.Code != "ok" {
		t.Errorf("verdict %q, %v", got.Verdict.Code, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Somebody mends the lab while it is watched.
func TestCheckWatch(t *testing.T) {
	_, tree := checkLab(t)
	config := filepath.Join(tree, "pxelinux.cfg", "01-00-16-3e-72-79-e3")
	if err := os.Rename(config, config+".old"); err != nil {
		t.Fatal(err)
	}
	cmd := command(t.Context(), "check", "--watch", "--quick", "--wait=0.3", checkVIF)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		_, code, ok := strings.Cut(lines.Text(), " [")
		if !ok {
			continue
		}
		if codes = append(codes, strings.TrimSuffix(code, "]")); len(codes) == 1 {
			if err := os.Rename(config+".old", config); err != nil {
				t.Error(err)
			}
			continue
		}
		cmd.Process.Signal(syscall.SIGTERM)
	}
	equal(t, "verdicts", codes, []string{"no-config", "ok"})
	if err := cmd.Wait(); err != nil {
		t.Errorf("the last look found nothing wrong: %v", err)
	}
}

// The first step is there long before the last one.
func TestCheckSteps(t *testing.T) {
	labtest.New(t, lab.Config{})
	cmd := command(t.Context(), "check", "--wait=2", checkVIF)
	out, err := cmd.StdoutPipe()
	labtest.Check(t, err)
	begin := time.Now()
	labtest.Check(t, cmd.Start())
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	labtest.Check(t, err)
	after := time.Since(begin)
	rest, err := io.ReadAll(lines)
	labtest.Check(t, err)
	cmd.Wait()
	t.Logf("after %v of %v: %s", after, time.Since(begin), first)
	contains(t, first, "ok    bridge  xenbr0")
	contains(t, string(rest), "FAIL  dhcp    No DHCP server answers", "[no-server]")
	if all := time.Since(begin); after > all/2 || strings.Contains(string(rest), "bridge  xenbr0") {
		t.Errorf("the first step after %v of %v\n%s", after, all, rest)
	}
}

// People at a terminal are told what a check waits for, and get a plan that they
// can read; others get JSON.
func TestOnTerminal(t *testing.T) {
	checkLab(t)
	for _, test := range []struct {
		args        []string
		says, never string
	}{
		{[]string{"check", "--wait=0.3", checkVIF}, "gopxeboot: dhcp: listens to the servers that answer " + lab.SampleMAC + " ...\r", "{"},
		{[]string{"check", "--json", "--wait=0.3", checkVIF}, `"verdict": {`, "listens to"},
		{[]string{"plan", checkVIF}, "kernel   tftp://192.168.1.166/" + lab.SampleKernel + "\r\n", "{"},
		{[]string{"plan", "--json", checkVIF}, `"outcome": "linux"`, "kernel   "},
	} {
		master, slave, err := openPTY()
		labtest.Check(t, err)
		cmd := command(t.Context(), test.args...)
		cmd.Stdout, cmd.Stderr = slave, slave
		labtest.Check(t, cmd.Start())
		slave.Close()
		text, _ := io.ReadAll(master) // EIO when all have closed it
		master.Close()
		if err := cmd.Wait(); err != nil || !strings.Contains(string(text), test.says) || strings.Contains(string(text), test.never) {
			t.Errorf("%v: %v\n%s", test.args, err, text)
		}
	}
}
