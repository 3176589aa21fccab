package tftpget_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/tftpget"
	"github.com/pin/tftp/v3"
)

func Example() {
	server, stop := exampleServer()
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := &tftpget.Client{MaxSize: 4 << 20}

	if _, err := client.Open(ctx, server, "pxelinux.cfg/C0A801C7"); errors.Is(err, tftpget.ErrNotFound) {
		fmt.Println("no configuration for that address")
	}
	file, err := client.Open(ctx, server, "pxelinux.cfg/default")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	fmt.Println(file.Size(), "bytes:")
	if _, err := file.WriteTo(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// no configuration for that address
	// 13 bytes:
	// DEFAULT linux
}

func ExampleClient_Get() {
	server, stop := exampleServer()
	defer stop()

	var client tftpget.Client
	stats, err := client.Get(context.Background(), server, "pxelinux.cfg/default", os.Stdout)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("\n"+strconv.FormatInt(stats.Bytes, 10), "bytes")
	// Output:
	// DEFAULT linux
	// 13 bytes
}

// A download with a window, and its progress.
func ExampleClient_Open() {
	server, stop := exampleServer()
	defer stop()

	client := &tftpget.Client{WindowSize: 16, MaxSize: 128 << 20}
	file, err := client.Open(context.Background(), server, "vmlinuz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	done := &progress{of: file.Size()}
	if _, err := file.WriteTo(done); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Stats().Bytes, "bytes")
	// Output:
	// 25 %
	// 50 %
	// 75 %
	// 100 %
	// 1048576 bytes
}

// progress prints each quarter of what is written to it.
type progress struct{ done, of, quarters int64 }

func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	for ; p.quarters < 4*p.done/p.of; p.quarters++ {
		fmt.Println(25*(p.quarters+1), "%")
	}
	return len(b), nil
}

// What would a machine boot that has PXELINUX from this server? Package
// pxelinux finds out, and OpenURL gets it the files that it asks for.
func ExampleClient_OpenURL() {
	server, stop := exampleServer()
	defer stop()

	var client tftpget.Client
	open := func(ctx context.Context, url string) (io.ReadCloser, error) {
		// The example's server has no privileges, so its port is not 69.
		return client.OpenURL(ctx, strings.Replace(url, "tftp://127.0.0.1/", "tftp://"+server.String()+"/", 1))
	}
	host := pxelinux.Host{
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		Address:  netip.MustParsePrefix("192.168.1.199/24"),
		Server:   server.Addr(),
		BootFile: "pxelinux.0",
	}
	config, err := pxelinux.Find(context.Background(), host, open)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, try := range config.Tried {
		fmt.Println(path.Base(try.URL), try.Result)
	}
	// Output:
	// 01-00-16-3e-72-79-e3 not found
	// C0A801C7 not found
	// C0A801C not found
	// C0A801 not found
	// C0A80 not found
	// C0A8 not found
	// C0A not found
	// C0 not found
	// C not found
	// default found
}

// exampleServer has two files, on loopback.
func exampleServer() (netip.AddrPort, func()) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	s := tftp.NewServer(func(name string, r io.ReaderFrom) error {
		text, ok := map[string]string{"pxelinux.cfg/default": "DEFAULT linux", "vmlinuz": strings.Repeat("k", 1<<20)}[name]
		if !ok {
			return errors.New("no such file")
		}
		r.(tftp.OutgoingTransfer).SetSize(int64(len(text)))
		_, err := r.ReadFrom(strings.NewReader(text))
		return err
	}, nil)
	go s.Serve(conn)
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), s.Shutdown
}
