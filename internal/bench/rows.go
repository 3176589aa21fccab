package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// row is a server, a network and a file, and what a client asks for.
type row struct {
	server        string
	weather       weather
	size          int64
	block, window int
	clients       []client
}

func (r row) String() string {
	network := fmt.Sprintf("%v", 2*r.weather.delay)
	if r.weather.loss > 0 {
		network += fmt.Sprintf(", %.1f %% loss", 100*r.weather.loss)
	}
	if r.weather.rate > 0 {
		network += fmt.Sprintf(", %.0f Mb/s, room for %d frames", r.weather.rate*8/1e6, r.weather.queue)
	}
	asked := "own choice"
	if r.block > 0 {
		asked = fmt.Sprintf("blksize %d", r.block)
	}
	if r.window > 0 {
		asked += fmt.Sprintf(", window %d", r.window)
	}
	if scheme := r.scheme(); scheme != "tftp" {
		asked = strings.ToUpper(scheme)
	}
	size := fmt.Sprintf("%d MiB", r.size/mib)
	if r.size < mib {
		size = fmt.Sprintf("%d KiB", r.size/kib)
	}
	return fmt.Sprintf("%s | %s | %s | %s", r.server, network, asked, size)
}

func (r row) scheme() string {
	switch r.server {
	case "nginx":
		return "http"
	case "vsftpd":
		return "ftp"
	}
	return "tftp"
}

type section struct {
	title, text string
	rows        []row
}

func rtt(d time.Duration) weather { return weather{delay: d / 2} }

func lossy(d time.Duration, loss float64) weather { return weather{delay: d / 2, loss: loss} }

const ms = time.Millisecond

// byRFC is the server of serveWindows.
const byRFC = "a server by RFC 7440"

var slowPort = weather{delay: ms / 2, rate: 100e6 / 8, queue: 26}

var sections = []section{
	{"Lock-step", "One block at a time, of the size that fits a frame, as most servers have it.", []row{
		{"tftpd-hpa", rtt(0), 32 * mib, 1468, 0, []client{ours, pinned, curl, atftp}},
		{"tftpd-hpa", rtt(0), 8 * mib, 512, 0, []client{ours, pinned, curl, hpa, atftp}},
		{"dnsmasq", rtt(0), 32 * mib, 1468, 0, []client{ours, pinned, curl, atftp}},
		{"atftpd", rtt(0), 32 * mib, 1468, 1, []client{pinned, curl, atftp}},
		{"tftpd-hpa", rtt(1 * ms), 2 * mib, 1468, 0, []client{ours, pinned, curl, atftp}},
		{"tftpd-hpa", rtt(10 * ms), 256 * kib, 1468, 0, []client{ours, curl, atftp}},
	}},
	{"Windows", "RFC 7440, 64 blocks.", []row{
		{"atftpd", rtt(0), 64 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", rtt(1 * ms), 64 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", rtt(10 * ms), 16 * mib, 1468, 64, []client{ours, atftp}},
		{byRFC, rtt(0), 64 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", slowPort, 16 * mib, 1468, 64, []client{ours, atftp}},
	}},
	{"What is done when nothing is said", "Our own choice beside what the others do by themselves at their best.", []row{
		{"tftpd-hpa", rtt(0), 64 * mib, 0, 0, []client{ours, curl, atftp}},
		{"tftpd-hpa", rtt(1 * ms), 16 * mib, 0, 0, []client{ours}},
		{"tftpd-hpa", rtt(10 * ms), 16 * mib, 0, 0, []client{ours}},
		{"atftpd", rtt(0), 64 * mib, 0, 0, []client{ours}},
		{"dnsmasq", rtt(0), 64 * mib, 0, 0, []client{ours}},
	}},
	{"Loss", "The same with frames lost in both directions. A server by RFC 7440 is one of our own: sixty lines that do what the RFC says.", []row{
		{byRFC, lossy(ms/10, 0), 16 * mib, 1468, 64, []client{ours, atftp}},
		{byRFC, lossy(ms/10, 0.001), 16 * mib, 1468, 64, []client{ours}},
		{byRFC, lossy(ms/10, 0.01), 16 * mib, 1468, 64, []client{ours}},
		{byRFC, lossy(1*ms, 0), 16 * mib, 1468, 64, []client{ours, atftp}},
		{byRFC, lossy(1*ms, 0.001), 16 * mib, 1468, 64, []client{ours}},
		{byRFC, lossy(1*ms, 0.01), 16 * mib, 1468, 64, []client{ours}},
		{byRFC, lossy(10*ms, 0), 16 * mib, 1468, 64, []client{ours, atftp}},
		{byRFC, lossy(10*ms, 0.01), 16 * mib, 1468, 64, []client{ours}},
		{"atftpd", lossy(ms/10, 0), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", lossy(ms/10, 0.001), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", lossy(ms/10, 0.01), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", lossy(1*ms, 0), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", lossy(1*ms, 0.001), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", lossy(1*ms, 0.01), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"atftpd", lossy(10*ms, 0.01), 16 * mib, 1468, 64, []client{ours, atftp}},
		{"tftpd-hpa", lossy(ms/10, 0.001), 32 * mib, 0, 0, []client{ours}},
		{"tftpd-hpa", lossy(1*ms, 0.01), 512 * kib, 1468, 0, []client{ours, curl, atftp}},
		{"tftpd-hpa", lossy(1*ms, 0.01), 128 * kib, 512, 0, []client{ours, curl, hpa, atftp}},
		{"tftpd-hpa", lossy(1*ms, 0.01), 2 * mib, 0, 0, []client{ours}},
	}},
	{"HTTP", "nginx, one file.", []row{
		{"nginx", rtt(0), 512 * mib, 0, 0, []client{ours, curl}},
		{"nginx", rtt(1 * ms), 64 * mib, 0, 0, []client{ours, curl}},
		{"nginx", rtt(10 * ms), 64 * mib, 0, 0, []client{ours, curl}},
		{"nginx", lossy(1*ms, 0.01), 16 * mib, 0, 0, []client{ours, curl}},
	}},
	{"Memory", "The largest initrd that is allowed by default.", []row{
		{"nginx", rtt(0), 2048 * mib, 0, 0, []client{ours, curl}},
		{"vsftpd", rtt(0), 2048 * mib, 0, 0, []client{ours, curl}},
		{"atftpd", rtt(0), 2048 * mib, 0, 0, []client{ours}},
		{"tftpd-hpa", rtt(0), 2048 * mib, 0, 0, []client{ours}},
	}},
}

// result is one client's runs of a row.
type result struct {
	seconds []float64
	rss     int64 // KiB, the most
	err     error
}

// spent is how long the good runs of a row took.
func spent(results []result) time.Duration {
	var seconds float64
	for _, r := range results {
		for _, s := range r.seconds {
			seconds += s
		}
	}
	return time.Duration(seconds * float64(time.Second))
}

func (b *bench) section(out io.Writer, s section, rows []row, rounds int) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n", s.title, s.text)
	fmt.Fprintln(out, "| server | round trip | asked for | file | client | median s | least, most | MB/s | ours / it | peak RSS MiB |")
	fmt.Fprintln(out, "|---|---|---|---|---|---:|---:|---:|---:|---:|")
	for _, r := range rows {
		results := make([]result, len(r.clients))
		if r.size > 512*mib {
			// Whoever comes first pays for memory that this virtual machine has
			// not used before: some seconds.
			b.once(r, r.clients[0], &result{})
		}
		for n := 0; n < rounds && (n == 0 || spent(results) < enough && r.size <= 512*mib); n++ {
			for i, c := range r.clients {
				if results[i].err == nil { // one failure is enough to know
					b.once(r, c, &results[i])
				}
			}
		}
		for i, c := range r.clients {
			res := results[i]
			if len(res.seconds) == 0 {
				fmt.Fprintf(out, "| %s | %s | failed: %v |\n", r, c.name, res.err)
				continue
			}
			failed := ""
			if res.err != nil {
				failed = fmt.Sprintf(" (then failed: %v)", res.err)
			}
			ratio := "-"
			if i > 0 && len(results[0].seconds) > 0 {
				ratio = fmt.Sprintf("%.2f", median(res.seconds)/median(results[0].seconds))
			}
			fmt.Fprintf(out, "| %s | %s%s | %.3f | %.3f, %.3f | %.1f | %s | %.0f |\n", r, c.name, failed, median(res.seconds),
				slices.Min(res.seconds), slices.Max(res.seconds), float64(r.size)/1e6/median(res.seconds), ratio, float64(res.rss)/1024)
		}
	}
}

const (
	// limit is how long one download may take: some clients come to a
	// standstill where packets are lost.
	limit = 12 * time.Second

	// enough is when a row gets no further round.
	enough = 8 * time.Second
)

// once runs one client, and counts it only when the file is right.
func (b *bench) once(r row, c client, res *result) {
	seconds, rss, err := b.download(r, c)
	if err != nil {
		res.err = err
		return
	}
	res.seconds = append(res.seconds, seconds)
	res.rss = max(res.rss, rss)
}

func (b *bench) download(r row, c client) (seconds float64, rss int64, err error) {
	if err := b.lacks[r.server]; err != nil {
		return 0, 0, err
	}
	name, err := b.file(r.size)
	if err != nil {
		return 0, 0, err
	}
	out := filepath.Join(b.dir, "out")
	defer os.Remove(out)
	cmd, err := c.command(job{b.hosts[r.server], r.scheme(), name, out, r.block, r.window})
	if err != nil {
		return 0, 0, err
	}
	host := b.lab.Dom0
	if r.weather != (weather{}) {
		host = b.far
	}
	// What the run before has left to be written to the disk is not this one's
	// to wait for.
	unix.Sync()
	b.wire.set(r.weather)
	defer b.wire.set(weather{})
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	ctx, cancel := context.WithTimeout(context.Background(), limit*time.Duration(1+r.size/(512*mib)))
	defer cancel()
	begin := time.Now()
	if err := host.Do(cmd.Start); err != nil {
		return 0, 0, err
	}
	watched := make(chan int64)
	ended := make(chan struct{})
	defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
	go func() { watched <- peak(cmd.Process.Pid, ended) }()
	err = cmd.Wait()
	seconds = time.Since(begin).Seconds()
	close(ended)
	rss = <-watched
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, lastLine(said.String()))
	}
	f, err := os.Open(out)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != b.sums[r.size] {
		err = fmt.Errorf("a wrong file of %d bytes, called a success", n)
	}
	return seconds, rss, err
}

// peak is the most memory in KiB that a process has had, as last seen before
// its end. Its rusage counts also what this program had when it forked.
func peak(pid int, ended <-chan struct{}) (most int64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			var kib int64
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				most = max(most, kib)
			}
		}
		select {
		case <-ended:
			return most
		case <-tick.C:
		}
	}
}

// machine describes what this ran on, in neutral words.
func machine() string {
	var uts unix.Utsname
	unix.Uname(&uts)
	kernel, _, _ := strings.Cut(unix.ByteSliceToString(uts.Release[:]), "-")
	return fmt.Sprintf("A virtual machine with %d CPUs, Linux %s, %s; servers, wire and clients share it. %s",
		runtime.NumCPU(), kernel, runtime.Version(), load())
}

// load says how much else is going on.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	now, _, _ := strings.Cut(string(text), " ")
	return fmt.Sprintf("The load average is %s at this point.", now)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.ReplaceAll(lines[len(lines)-1], "|", " ")
}
