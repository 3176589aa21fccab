package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var errOptions = errors.New("DHCP.Options are for the embedded server")

// Dnsmasq starts dnsmasq on the host as DHCP server, and as TFTP server of the
// tree unless that is "". It returns when dnsmasq answers. The arguments are
// added to its command line.
func Dnsmasq(ctx context.Context, h *lab.Host, config lab.DHCP, tree string, args ...string) (*Process, error) {
	if len(config.Options) > 0 {
		return nil, fmt.Errorf("start dnsmasq: %w", errOptions)
	}
	dir, err := tempDir(h)
	if err != nil {
		return nil, fmt.Errorf("start dnsmasq: %w", err)
	}
	args = slices.Concat([]string{
		// In a user namespace there is no other user to become.
		"--keep-in-foreground", "--user=root", "--group=root",
		"--conf-file=/dev/null", "--no-ping", "--no-resolv", "--no-hosts",
		"--log-facility=-", "--log-dhcp",
		"--dhcp-leasefile=" + filepath.Join(dir, "leases"), "--pid-file=",
	}, dnsmasqArgs(config, h.Address), args)
	if !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--port=") }) {
		args = append(args, "--port=0") // no DNS
	}
	ready := []check{listensUDP(h, dhcpv4.ServerPort)}
	if tree != "" {
		args = append(args, "--enable-tftp", "--tftp-root="+tree)
		ready = append(ready, listensUDP(h, lab.TFTPPort), answersTFTP(h))
	}
	return startServer(ctx, h, "dnsmasq", args, nil, ready...)
}

func dnsmasqArgs(d lab.DHCP, subnet netip.Prefix) []string {
	var args []string
	for _, mac := range slices.Sorted(maps.Keys(d.Fixed)) {
		args = append(args, fmt.Sprintf("--dhcp-host=%s,%s", mac, d.Fixed[mac]))
	}
	pool := subnet.Masked().Addr().String() + ",static"
	if d.First.IsValid() {
		pool = d.First.String() + "," + d.Last.String()
	}
	args = append(args, fmt.Sprintf("--dhcp-range=%s,%s,1h", pool, netmask(subnet)))
	if d.Router.IsValid() {
		args = append(args, "--dhcp-option=option:router,"+d.Router.String())
	}
	if d.BootFile != "" || d.NextServer.IsValid() {
		boot := "--dhcp-boot=" + d.BootFile
		if d.NextServer.IsValid() {
			boot += ",," + d.NextServer.String()
		}
		args = append(args, boot)
	}
	return args
}

// DHCPD starts ISC dhcpd on the host, and returns when it answers. The
// statements are added to its dhcpd.conf, at the top.
func DHCPD(ctx context.Context, h *lab.Host, config lab.DHCP, statements ...string) (*Process, error) {
	if len(config.Options) > 0 {
		return nil, fmt.Errorf("start dhcpd: %w", errOptions)
	}
	return DHCPDWith(ctx, h, lab.HostInterface, strings.Join(append(statements, dhcpdConf(config, h.Address)), "\n"))
}

// DHCPDWith starts ISC dhcpd on an interface of the host's, with this dhcpd.conf.
func DHCPDWith(ctx context.Context, h *lab.Host, ifname, conf string) (*Process, error) {
	dir, file, err := configFile(h, "dhcpd", "dhcpd.conf", []byte(conf))
	if err != nil {
		return nil, err
	}
	leases := filepath.Join(dir, "dhcpd.leases")
	if err := os.WriteFile(leases, nil, 0o644); err != nil {
		return nil, err
	}
	args := []string{"-4", "-f", "-d", "--no-pid", "-cf", file, "-lf", leases, ifname}
	return startServer(ctx, h, "dhcpd", args, nil, logs("Server starting service"))
}

// tempDir is a directory for a server's files, which the lab's Close removes.
func tempDir(h *lab.Host) (string, error) {
	dir, err := os.MkdirTemp("", "gopxeboot-lab-")
	if err == nil {
		h.OnClose(func() { os.RemoveAll(dir) })
	}
	return dir, err
}

// configFile writes a server's configuration into a directory of its own.
func configFile(h *lab.Host, server, name string, text []byte) (dir, file string, err error) {
	if dir, err = tempDir(h); err == nil {
		file = filepath.Join(dir, name)
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		err = fmt.Errorf("start %s: %w", server, err)
	}
	return dir, file, err
}

func dhcpdConf(d lab.DHCP, subnet netip.Prefix) string {
	var b strings.Builder
	fmt.Fprintf(&b, "subnet %s netmask %s {\n", subnet.Masked().Addr(), netmask(subnet))
	if d.First.IsValid() {
		fmt.Fprintf(&b, "\trange %s %s;\n", d.First, d.Last)
	}
	if d.Router.IsValid() {
		fmt.Fprintf(&b, "\toption routers %s;\n", d.Router)
	}
	if d.NextServer.IsValid() {
		fmt.Fprintf(&b, "\tnext-server %s;\n", d.NextServer)
	}
	if d.BootFile != "" {
		fmt.Fprintf(&b, "\tfilename %q;\n", d.BootFile)
	}
	b.WriteString("}\n")
	for i, mac := range slices.Sorted(maps.Keys(d.Fixed)) {
		fmt.Fprintf(&b, "host guest%d {\n\thardware ethernet %s;\n\tfixed-address %s;\n}\n", i, mac, d.Fixed[mac])
	}
	return b.String()
}

// Kea starts kea-dhcp4 on the host, and returns when it answers.
func Kea(ctx context.Context, h *lab.Host, config lab.DHCP) (*Process, error) {
	if len(config.Options) > 0 {
		return nil, fmt.Errorf("start kea-dhcp4: %w", errOptions)
	}
	members, err := keaMembers(config, h.Address)
	if err != nil {
		return nil, fmt.Errorf("start kea-dhcp4: %w", err)
	}
	return KeaWith(ctx, h, members)
}

// KeaWith starts kea-dhcp4 on the host with these members of Dhcp4, as JSON,
// beside those that keep it alone.
func KeaWith(ctx context.Context, h *lab.Host, members string) (*Process, error) {
	dir, file, err := configFile(h, "kea-dhcp4", "kea.json", []byte(`{"Dhcp4": {
		"interfaces-config": {"interfaces": ["`+lab.HostInterface+`"], "dhcp-socket-type": "raw"},
		"lease-database": {"type": "memfile", "persist": false},
		"loggers": [{"name": "kea-dhcp4", "severity": "DEBUG", "debuglevel": 40, "output_options": [{"output": "stdout"}]}],
		`+members+`}}`))
	if err != nil {
		return nil, err
	}
	env := []string{"KEA_PIDFILE_DIR=" + dir, "KEA_LOCKFILE_DIR=" + dir}
	return startServer(ctx, h, "kea-dhcp4", []string{"-c", file}, env, logs("DHCP4_STARTED"))
}

func keaMembers(d lab.DHCP, subnet netip.Prefix) (string, error) {
	type object = map[string]any
	network := object{"id": 1, "subnet": subnet.Masked().String()}
	if d.First.IsValid() {
		network["pools"] = []object{{"pool": fmt.Sprintf("%s - %s", d.First, d.Last)}}
	}
	if d.Router.IsValid() {
		network["option-data"] = []object{{"name": "routers", "data": d.Router.String()}}
	}
	if d.NextServer.IsValid() {
		network["next-server"] = d.NextServer.String()
	}
	if d.BootFile != "" {
		network["boot-file-name"] = d.BootFile
	}
	var reservations []object
	for _, mac := range slices.Sorted(maps.Keys(d.Fixed)) {
		reservations = append(reservations, object{"hw-address": mac, "ip-address": d.Fixed[mac].String()})
	}
	if len(reservations) > 0 { // Kea takes no null
		network["reservations"] = reservations
	}
	text, err := json.MarshalIndent([]object{network}, "", "\t")
	return `"subnet4": ` + string(text), err
}

// TFTPD starts tftpd-hpa's in.tftpd of the tree on the host, and returns when
// it answers. It logs to syslog only, so Log stays empty.
func TFTPD(ctx context.Context, h *lab.Host, tree string) (*Process, error) {
	args := []string{"-L", "-4", "-u", "root", "-s", tree}
	return startServer(ctx, h, "in.tftpd", args, nil, listensUDP(h, lab.TFTPPort), answersTFTP(h))
}

// ATFTPD starts atftpd of the tree on the host, and returns when it answers.
func ATFTPD(ctx context.Context, h *lab.Host, tree string) (*Process, error) {
	args := []string{"--daemon", "--no-fork", "--user", "root", "--group", "root", "--logfile", "-", "--verbose=7", tree}
	return startServer(ctx, h, "atftpd", args, nil, listensUDP(h, lab.TFTPPort), answersTFTP(h))
}

// Nginx starts nginx on the host, which serves the tree on port 80, and returns
// when it listens. The statements are added to its server block.
func Nginx(ctx context.Context, h *lab.Host, tree string, statements ...string) (*Process, error) {
	// Its own files are named from its directory, the prefix.
	dir, conf, err := configFile(h, "nginx", "nginx.conf", fmt.Appendf(nil, `daemon off; master_process off; user root root; pid pid; error_log stderr; events {}
http {
	access_log off; sendfile on;
	client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
	server { listen 80; root %q; %s }
}
`, tree, strings.Join(statements, "\n")))
	if err != nil {
		return nil, err
	}
	return startServer(ctx, h, "nginx", []string{"-p", dir, "-c", conf, "-e", "stderr"}, nil, listensTCP(h, 80))
}

// VSFTPD starts vsftpd on the host, which serves the tree to the anonymous, and
// returns when it listens. It becomes another user, so it needs the machine's
// root.
func VSFTPD(ctx context.Context, h *lab.Host, tree string) (*Process, error) {
	chroot, err := tempDir(h)
	if err != nil {
		return nil, fmt.Errorf("start vsftpd: %w", err)
	}
	_, conf, err := configFile(h, "vsftpd", "vsftpd.conf", fmt.Appendf(nil, "listen=YES\nbackground=NO\nanonymous_enable=YES\nlocal_enable=NO\nanon_root=%s\nsecure_chroot_dir=%s\n"+
		"ftp_username=daemon\nnopriv_user=daemon\nconnect_from_port_20=NO\nxferlog_enable=NO\nseccomp_sandbox=NO\n", tree, chroot))
	if err != nil {
		return nil, err
	}
	server, err := Program("vsftpd", conf)
	if err != nil {
		return nil, err
	}
	// Not the first process of its namespace, which inherits children of
	// others: vsftpd ends at one that it does not know.
	cmd := exec.Command("sh", "-c", `"$@"; exit`, "sh", server.Path, conf)
	cmd.Env = server.Env
	return startReady(ctx, h, cmd, listensTCP(h, 21))
}

// StartUntil starts a server program as Start does, and returns when it has
// printed the text.
func StartUntil(ctx context.Context, h *lab.Host, cmd *exec.Cmd, text string) (*Process, error) {
	return startReady(ctx, h, cmd, logs(text))
}

// StartListening starts a server program as Start does, and returns when it
// listens on the TCP port.
func StartListening(ctx context.Context, h *lab.Host, cmd *exec.Cmd, port int) (*Process, error) {
	return startReady(ctx, h, cmd, listensTCP(h, port))
}

func startServer(ctx context.Context, h *lab.Host, name string, args, env []string, ready ...check) (*Process, error) {
	cmd, err := Program(name, args...)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(cmd.Environ(), env...)
	return startReady(ctx, h, cmd, ready...)
}

// startReady starts a program and returns when all of ready give no error.
func startReady(ctx context.Context, h *lab.Host, cmd *exec.Cmd, ready ...check) (*Process, error) {
	p, err := Start(h, cmd)
	if err != nil {
		return nil, err
	}
	for {
		err := firstError(p, ready)
		if err == nil {
			return p, nil
		}
		select {
		case <-p.Done():
			return nil, p.failed()
		case <-ctx.Done():
			p.Stop()
			return nil, fmt.Errorf("wait for %s: %w: %w; it printed:\n%s", cmd.Path, context.Cause(ctx), err, p.Log())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// check tells why a server is not ready yet.
type check func(*Process) error

func firstError(p *Process, checks []check) error {
	for _, c := range checks {
		if err := c(p); err != nil {
			return err
		}
	}
	return nil
}

// logs checks that the server has printed the text. ISC dhcpd and Kea are
// ready only when they say so: Kea throws away what came in while it set up
// its packet sockets.
func logs(text string) check {
	return func(p *Process) error {
		if !strings.Contains(p.Log(), text) {
			return fmt.Errorf("it has not printed %q", text)
		}
		return nil
	}
}

// listensUDP checks that a socket of the host has that port: from then on the
// kernel keeps requests for the server.
func listensUDP(h *lab.Host, port int) check { return listens(h, "udp", port, "") }

// listensTCP is listensUDP for a TCP socket that listens.
func listensTCP(h *lab.Host, port int) check { return listens(h, "tcp", port, "0A") }

// listens looks for a socket in a table of the kernel's, in this state (as in
// include/net/tcp_states.h) unless that is "".
func listens(h *lab.Host, protocol string, port int, state string) check {
	return func(*Process) error {
		return h.Do(func() error {
			for _, family := range []string{"", "6"} {
				table, err := os.ReadFile("/proc/thread-self/net/" + protocol + family)
				if err != nil {
					return err
				}
				for line := range strings.Lines(string(table)) {
					f := strings.Fields(line)
					if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && (state == "" || f[3] == state) {
						return nil
					}
				}
			}
			return fmt.Errorf("nothing listens on %s port %d", protocol, port)
		})
	}
}

// answersTFTP asks the host's TFTP server for a file that is not there. A
// socket alone would not do: in.tftpd can fail later, in the process that is
// to answer.
func answersTFTP(h *lab.Host) check {
	return func(*Process) error {
		return h.Do(func() error {
			// Not connected: the answer comes from another port (RFC 1350).
			conn, err := net.ListenUDP("udp4", nil)
			if err != nil {
				return err
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				return err
			}
			server := net.UDPAddrFromAddrPort(netip.AddrPortFrom(h.Address.Addr(), lab.TFTPPort))
			if _, err := conn.WriteTo([]byte("\x00\x01lab-ready\x00octet\x00"), server); err != nil {
				return err
			}
			_, _, err = conn.ReadFrom(make([]byte, 1500))
			return err
		})
	}
}

func netmask(subnet netip.Prefix) net.IP {
	return net.IP(net.CIDRMask(subnet.Bits(), 32))
}
