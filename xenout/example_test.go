package xenout_test

import (
	"fmt"
	"os"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// libvirt passes all of its bootloader_args as one word.
func ExampleParseCall() {
	argv := []string{
		"/usr/bin/gopxeboot", "--output=/var/lib/xen/bootloader.7.out", "--output-format=simple0",
		"--interface=xenbr0 mac=00:16:3E:72:79:E3 -v",
		"/dev/vg/guest",
	}
	takesValue := func(option string) bool {
		return option != "v" // only -v has none among the options above
	}
	call, err := xenout.ParseCall(argv, os.Environ(), takesValue)
	fmt.Println(call.Domid, call.Format, call.VIF.MAC, call.Disk, err)
	for _, word := range call.Words {
		fmt.Println(word)
	}
	// Output:
	// 7 simple0 00:16:3e:72:79:e3 /dev/vg/guest <nil>
	// --output=/var/lib/xen/bootloader.7.out
	// --output-format=simple0
	// --interface=xenbr0
	// -v
	// --
	// mac=00:16:3E:72:79:E3
	// /dev/vg/guest
}

func ExampleWrite() {
	args := xenout.MergeArgs("BOOT_IMAGE=vmlinuz initrd=initrd.img", "console=hvc0")
	args, _, err := xenout.FitArgs(xenout.XL, xenout.HVM, args)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = xenout.Write(os.Stdout, xenout.XL, xenout.Result{
		Kernel:  "/var/lib/xen/pxe/kernel",
		Ramdisk: "/var/lib/xen/pxe/ramdisk",
		Args:    args,
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// kernel = "/var/lib/xen/pxe/kernel"
	// ramdisk = "/var/lib/xen/pxe/ramdisk"
	// cmdline = "BOOT_IMAGE=vmlinuz initrd=initrd.img console=hvc0"
}
