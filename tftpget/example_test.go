package tftpget_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

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

// exampleServer has one file, on loopback.
func exampleServer() (netip.AddrPort, func()) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	s := tftp.NewServer(func(name string, r io.ReaderFrom) error {
		if name != "pxelinux.cfg/default" {
			return errors.New("no such file")
		}
		_, err := r.ReadFrom(strings.NewReader("DEFAULT linux"))
		return err
	}, nil)
	go s.Serve(conn)
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), s.Shutdown
}
