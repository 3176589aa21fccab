package leases

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// The tools of the trade read a capture: a lease with a proxyDHCP server that
// is asked on port 4011.
func TestCaptureTools(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	proxy, err := l.AddHost(t.Context(), lab.HostConfig{Name: "proxy", Address: prefix("192.168.1.167/24")})
	labtest.Check(t, err)
	labtest.Dnsmasq(t, proxy, "--dhcp-range=192.168.1.0,proxy", "--pxe-service=x86PC,Boot,pxelinux")
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-reply-delay=1")

	var file bytes.Buffer
	capture, err := dhcpclient.NewCapture(&file)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, l, ownPort)
	c.Conn = capture.Tap(c.Conn)
	if _, err := lease(t, c); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []struct {
		args []string
		want []string
	}{
		{[]string{"tcpdump", "-n", "-v", "-r", "-"}, []string{"DHCP-Message (53), length 1: Discover", "Request who-has 192.168.1.167 tell 192.168.1.199", "192.168.1.199.68 > 192.168.1.167.4011"}},
		{[]string{"tshark", "-n", "-r", "-"}, []string{"DHCP Discover", "Who has 192.168.1.167? Tell 192.168.1.199", "proxyDHCP"}},
		// The fields as tshark reads them are what was sent.
		{[]string{"tshark", "-n", "-r", "-", "-Y", "dhcp.option.dhcp == 1", "-T", "fields", "-E", "separator=|",
			"-e", "dhcp.option.vendor_class_id", "-e", "dhcp.client_id.uuid", "-e", "dhcp.option.client_system_architecture", "-e", "dhcp.flags.bc", "-e", "dhcp.hw.mac_addr"},
			[]string{"PXEClient:Arch:00000:UNDI:002001|" + guestUUID + "|0|1|" + lab.SampleMAC}},
		{[]string{"tshark", "-n", "-r", "-", "-Y", "dhcp.option.dhcp == 5 && dhcp.file", "-T", "fields", "-e", "dhcp.file"}, []string{"pxelinux.0\n"}},
	} {
		t.Run(tool.args[0], func(t *testing.T) {
			cmd, err := real.Program(tool.args[0], tool.args[1:]...)
			labtest.Check(t, err)
			cmd.Stdin = bytes.NewReader(file.Bytes())
			var out, said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &said
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, &said)
			}
			for _, want := range tool.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("does not show %q:\n%s", want, &out)
				}
			}
			for _, broken := range []string{"truncated", "Malformed", "bad cksum"} {
				if strings.Contains(out.String(), broken) {
					t.Errorf("shows something broken:\n%s", &out)
				}
			}
		})
	}
}
