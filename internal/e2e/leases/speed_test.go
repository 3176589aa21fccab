package leases

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

var speed = flag.Int("speed", 0, "measure this many leases of each DHCP client, and print the medians")

// asProgram has this test binary be a program that gets a lease on eth0, for
// TestSpeed to compare with others.
const asProgram = "DHCPTEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		labtest.Main(m)
	}
	if err := program(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func program() error {
	conn, err := dhcpclient.Listen("eth0", dhcpclient.Config{})
	if err != nil {
		return err
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		return err
	}
	lease, err := (&dhcpclient.Client{Conn: conn, MAC: eth0.HardwareAddr}).Lease(context.Background())
	if err == nil && lease.BootFile != "pxelinux.0" {
		err = fmt.Errorf("lease %+v", lease)
	}
	return err
}

// TestSpeed measures the time from start to lease, in one network namespace,
// against dnsmasq: as a call, as a program, and of the usual programs.
func TestSpeed(t *testing.T) {
	if *speed == 0 {
		t.Skip("-speed N, which says how often, is missing")
	}
	l := labtest.New(t, lab.Config{})
	labtest.Dnsmasq(t, l.Servers, "--dhcp-range=192.168.1.0,static,1h", fixed, "--dhcp-boot=pxelinux.0")
	guest, err := l.AddHost(t.Context(), lab.HostConfig{Name: "guest", MAC: guestMAC(t)})
	labtest.Check(t, err)
	dir := t.TempDir()

	run := func(cmd *exec.Cmd) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			again, begin := *cmd, time.Now()
			p, err := real.Start(guest, &again)
			if err != nil {
				return 0, err
			}
			<-p.Done() // and with it what it left in the background
			took := time.Since(begin)
			if !again.ProcessState.Success() {
				return 0, fmt.Errorf("%s: %v\n%s", again.Path, again.ProcessState, p.Log())
			}
			return took, nil
		}
	}
	// The call is measured from opening the socket to the lease. Closing it, for
	// which the kernel waits until no processor looks at it any more, is not.
	call := func(probe time.Duration) func() (time.Duration, error) {
		return func() (took time.Duration, err error) {
			err = guest.Do(func() error {
				begin := time.Now()
				conn, err := dhcpclient.Listen("eth0", dhcpclient.Config{})
				if err != nil {
					return err
				}
				defer conn.Close()
				_, err = (&dhcpclient.Client{Conn: conn, MAC: guest.MAC, ProbeWait: probe}).Lease(t.Context())
				took = time.Since(begin)
				return err
			})
			return took, err
		}
	}
	self := exec.Command("/proc/self/exe")
	self.Env = append(os.Environ(), asProgram+"=1")
	measure := func(name string, lease func() (time.Duration, error)) {
		t.Helper()
		var took []time.Duration
		for range *speed {
			one, err := lease()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			took = append(took, one)
		}
		slices.Sort(took)
		at := func(share int) time.Duration { return took[(len(took)-1)*share/100].Round(10 * time.Microsecond) }
		t.Logf("%-45s median %v (10%% %v, 90%% %v) of %d", name, at(50), at(10), at(90), len(took))
	}
	measure("Client.Lease", call(0))
	measure("Client.Lease, without the ARP probe", call(-1))
	measure("a program that calls it", run(self))
	if busybox, err := real.Program("busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-s", "/bin/true"); err == nil {
		measure("busybox udhcpc", run(busybox))
	} else {
		t.Log(err)
	}
	if dhclient, err := real.Program("dhclient", "-1", "-4", "-cf", "/dev/null", "-sf", "/bin/true",
		"-lf", filepath.Join(dir, "leases"), "-pf", filepath.Join(dir, "pid"), "eth0"); err == nil {
		measure("dhclient", func() (time.Duration, error) {
			os.Remove(filepath.Join(dir, "leases")) // or it would ask for the one it knows
			return run(dhclient)()
		})
	} else {
		t.Log(err)
	}
}
