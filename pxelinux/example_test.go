package pxelinux_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/gopxeboot/gopxeboot/pxelinux"
)

func Example() {
	// What the server has; a real Opener asks it.
	files := map[string]string{
		"tftp://192.168.1.166/pxelinux.cfg/01-00-16-3e-72-79-e3": `DEFAULT menu.c32
TIMEOUT 100
LABEL install
  MENU LABEL ^Install
  KERNEL debian/linux
  INITRD debian/initrd.gz,extra.img
  APPEND quiet
  SYSAPPEND 2
`,
	}
	open := func(_ context.Context, url string) (io.ReadCloser, error) {
		text, found := files[url]
		if !found {
			return nil, fmt.Errorf("%s: %w", url, pxelinux.ErrNotFound)
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}

	host := pxelinux.Host{
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		Address:  netip.MustParsePrefix("192.168.1.199/24"),
		Server:   netip.MustParseAddr("192.168.1.166"),
		BootFile: "pxelinux.0",
	}
	ctx := context.Background()
	config, err := pxelinux.Find(ctx, host, open)
	if err != nil {
		fmt.Println(err, config.Tried)
		return
	}
	boot, err := config.Boot(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(boot.Outcome, boot.Label, "after", boot.Timeout)
	fmt.Println(boot.Kernel)
	fmt.Println(strings.Join(boot.Initrds, "\n"))
	fmt.Println(boot.Args)
	// Output:
	// linux install after 10s
	// tftp://192.168.1.166/debian/linux
	// tftp://192.168.1.166/debian/initrd.gz
	// tftp://192.168.1.166/extra.img
	// BOOT_IMAGE=debian/linux quiet initrd=debian/initrd.gz,extra.img BOOTIF=01-00-16-3e-72-79-e3
}

func ExampleSearchPath() {
	for _, url := range pxelinux.SearchPath(pxelinux.Host{
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		Server:   netip.MustParseAddr("192.168.1.166"),
		BootFile: "/boot/pxelinux.0",
	}) {
		fmt.Println(url)
	}
	// Output:
	// tftp://192.168.1.166//boot/pxelinux.cfg/01-00-16-3e-72-79-e3
	// tftp://192.168.1.166//boot/pxelinux.cfg/default
}
