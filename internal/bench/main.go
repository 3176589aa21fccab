// Command bench compares gopxeboot's downloads with those of curl, tftp-hpa's
// and atftp's clients, from tftpd-hpa, atftpd, dnsmasq and nginx, in a lab of
// private namespaces on one machine. All clients of a row run in turn, several
// times, and the median counts.
//
//	bench [-rounds N] [-only TEXT] [-gopxeboot PROGRAM] [-o FILE]
//
// It prints tables in Markdown, and puts them between two marks in FILE. It needs root or user namespaces, and what
// .ci/servers fetches; what is missing is left out, and said so.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/lab"
)

func main() {
	if err := start(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// start is the benchmark, or one of the programs that it runs.
func start(args []string) error {
	if len(args) > 2 {
		switch args[1] {
		case "get":
			return get(args[2:])
		case "ask":
			return ask(args[2], args[3])
		case "serve":
			return serveWindows(args[2])
		}
	}
	if err := lab.Enter(); err != nil {
		return err
	}
	return run()
}

// What is between these lines in FILE is replaced; the rest is written by hand.
const (
	beginMark = "<!-- make bench: begin -->"
	endMark   = "<!-- make bench: end -->"
)

// intro is what a reader of the tables has to know.
const intro = `
What a client says is not taken on trust: each file's sha256 is checked, and a client that calls a wrong file a success has failed.

All clients of a row run in turn, %d times, or fewer where that takes more than %v a row; the median counts. "ours / it" is how many
times as fast we are: above 1 we win. Times are of the whole process, from start to exit. A round trip of 0 is a veth into the servers'
bridge; any other is a wire made of two TAP devices and a relay. gopxeboot is what ` + "`gopxeboot get`" + ` does, as dom0. "own choice" is
what it does by itself: windows of 64 blocks; from a server without windows, for files of 1 MiB or more, blocks of 64 KiB, if the first
one arrives in spite of its fragments. "pin/tftp" is our lock-step client for small files.

%s
`

func run() error {
	rounds := flag.Int("rounds", 5, "how often each client of a row runs")
	only := flag.String("only", "", "only rows whose text holds this")
	program := flag.String("gopxeboot", "build/gopxeboot", "the `program` for whole boots")
	guests := flag.String("guests", "1 16 64 128", "how `many` boot at once")
	output := flag.String("o", "", "put the tables into this file too")
	flag.Parse()
	var many []int
	for word := range strings.FieldsSeq(*guests) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 140 {
			return fmt.Errorf("-guests: %q is no number from 1 to 140", word)
		}
		many = append(many, n)
	}
	b, err := newBench(context.Background())
	if err != nil {
		return err
	}
	defer b.close()
	var table strings.Builder
	out := io.MultiWriter(os.Stdout, &table)
	fmt.Fprintf(out, intro, *rounds, enough, machine())
	for _, s := range sections {
		var rows []row
		for _, r := range s.rows {
			if strings.Contains(s.title+" "+r.String(), *only) {
				rows = append(rows, r)
			}
		}
		if len(rows) > 0 {
			b.section(out, s, rows, *rounds)
		}
	}
	if strings.Contains("A whole boot", *only) {
		if err := b.wholeBoot(out, *program, *rounds); err != nil {
			return err
		}
	}
	if err := b.storms(out, *program, *only, many); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", load())
	if *output != "" {
		return putInto(*output, table.String())
	}
	return nil
}

// putInto replaces what is between the marks in a file.
func putInto(file, tables string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(old), beginMark+"\n")
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no lines %s and %s", file, beginMark, endMark)
	}
	return os.WriteFile(file, []byte(before+beginMark+"\n"+tables+"\n"+endMark+after), 0o644)
}

// bench is the lab with its servers, the files that they serve, and the wire.
type bench struct {
	lab    *lab.Lab
	far    *lab.Host // beyond the wire
	asking *lab.Host // asks what a boot does
	wire   *wire
	dir    string
	sums   map[int64]string // sha256 of the file of that many bytes
	hosts  map[string]netip.Addr
	lacks  map[string]error
}

var (
	near    = netip.MustParsePrefix("192.168.1.1/24")
	distant = netip.MustParsePrefix("192.168.1.2/24")
)

func newBench(ctx context.Context) (*bench, error) {
	b := &bench{sums: map[int64]string{}, hosts: map[string]netip.Addr{}, lacks: map[string]error{}}
	var err error
	if b.dir, err = os.MkdirTemp("", "gopxeboot-bench-"); err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(b.dir, 0o755), os.Mkdir(filepath.Join(b.dir, "tree"), 0o755)); err != nil {
		return nil, err
	}
	if b.lab, err = lab.New(ctx, lab.Config{Dom0: near}); err != nil {
		return nil, err
	}
	if b.far, err = b.lab.AddHost(ctx, lab.HostConfig{Name: "far"}); err != nil {
		return nil, err
	}
	asking := lab.HostConfig{Name: "asking", Address: netip.PrefixFrom(netip.MustParseAddr("192.168.1.3"), 24)}
	if b.asking, err = b.lab.AddHost(ctx, asking); err != nil {
		return nil, err
	}
	if b.wire, err = newWire(b.lab, b.far, distant); err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	for i, s := range servers {
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(101 + i)}), 24)
		h, err := b.lab.AddHost(ctx, lab.HostConfig{Name: s.name, Address: address})
		if err != nil {
			return nil, err
		}
		b.hosts[s.name] = address.Addr()
		if _, err := s.start(ctx, h, filepath.Join(b.dir, "tree")); err != nil {
			b.lacks[s.name] = err
		}
	}
	return b, nil
}

func (b *bench) close() {
	b.lab.Close()
	os.RemoveAll(b.dir)
}

// file is the name of a file of that many bytes, which no compression makes
// shorter.
func (b *bench) file(size int64) (string, error) {
	name := fmt.Sprintf("%d.img", size)
	if b.sums[size] != "" {
		return name, nil
	}
	f, err := os.Create(filepath.Join(b.dir, "tree", name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	var seed [32]byte
	if _, err := io.CopyN(io.MultiWriter(f, sum), rand.NewChaCha8(seed), size); err != nil {
		return "", err
	}
	b.sums[size] = hex.EncodeToString(sum.Sum(nil))
	return name, nil
}
