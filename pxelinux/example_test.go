package pxelinux_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing/fstest"

	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// What does this tree boot for this MAC?
func Example() {
	// What the server has. Of a directory that is os.DirFS("/srv/tftp"); an
	// Opener of your own asks the server.
	tree := fstest.MapFS{
		"pxelinux.cfg/01-00-16-3e-72-79-e3": {Data: []byte(`DEFAULT menu.c32
TIMEOUT 100
LABEL install
  MENU LABEL ^Install
  KERNEL debian/linux
  INITRD debian/initrd.gz,extra.img
  APPEND quiet
  SYSAPPEND 2
`)},
	}

	host := pxelinux.Host{
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		Address:  netip.MustParsePrefix("192.168.1.199/24"),
		Server:   netip.MustParseAddr("192.168.1.166"),
		BootFile: "pxelinux.0",
	}
	ctx := context.Background()
	config, err := pxelinux.Find(ctx, host, pxelinux.OpenFS(tree, host.Server))
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

// What if a file is not there? A caller that downloads asks again.
func ExampleBoot_NotFound() {
	host := pxelinux.Host{Server: netip.MustParseAddr("192.168.1.166")}
	tree := fstest.MapFS{
		"pxelinux.cfg/default": {Data: []byte("DEFAULT new\nONERROR old\nLABEL new\nKERNEL vmlinuz-6\nLABEL old\nKERNEL vmlinuz-5\n")},
		"vmlinuz-5":            {Data: []byte("a kernel")},
	}
	open := pxelinux.OpenFS(tree, host.Server)
	ctx := context.Background()
	config, err := pxelinux.Find(ctx, host, open)
	if err != nil {
		fmt.Println(err)
		return
	}
	boot, err := config.Boot(ctx)
	for err == nil && boot.Outcome == pxelinux.Linux {
		kernel, missing := open(ctx, boot.Kernel)
		if missing == nil {
			kernel.Close()
			break
		}
		fmt.Println(boot.Label, "is not there")
		boot, err = boot.NotFound(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(boot.Outcome, boot.Label, boot.Kernel)
	// Output:
	// new is not there
	// linux old tftp://192.168.1.166/vmlinuz-5
}

// What boots by a label, whatever the configuration's DEFAULT is.
func ExampleConfig_BootLabel() {
	host := pxelinux.Host{Server: netip.MustParseAddr("192.168.1.166")}
	tree := fstest.MapFS{
		"pxelinux.cfg/default": {Data: []byte("DEFAULT local\nLABEL local\nLOCALBOOT 0\nLABEL rescue\nLINUX rescue/vmlinuz\nAPPEND single\n")},
	}
	ctx := context.Background()
	config, err := pxelinux.Find(ctx, host, pxelinux.OpenFS(tree, host.Server))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, label := range config.Labels {
		boot, err := config.BootLabel(ctx, label.Name)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s %q\n", label.Name, boot.Outcome, boot.Args)
	}
	// Output:
	// local: localboot ""
	// rescue: linux "BOOT_IMAGE=rescue/vmlinuz single"
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
