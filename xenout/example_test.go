package xenout_test

import (
	"fmt"
	"os"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// libvirt passes all of its bootloader_args as one word.
func ExampleArguments() {
	words := []string{
		"--output=/var/lib/xen/bootloader.7.out", "--output-format=simple0",
		"--interface=xenbr0 mac=00:16:3e:72:79:e3 -v",
		"/dev/vg/guest",
	}
	takesValue := func(option string) bool {
		return option != "v" // only -v has none among the options above
	}
	for _, word := range xenout.Arguments(words, takesValue) {
		fmt.Println(word)
	}
	// Output:
	// --output=/var/lib/xen/bootloader.7.out
	// --output-format=simple0
	// --interface=xenbr0
	// -v
	// --
	// mac=00:16:3e:72:79:e3
	// /dev/vg/guest
}

// xm splits its configuration's vif[0] at blanks.
func ExamplePositionals() {
	vif, disk, _, err := xenout.Positionals([]string{"mac=00:16:3E:72:79:E3,", "bridge=xenbr0", "/dev/vg/guest"})
	fmt.Println(vif.MAC, vif.Bridge, disk, err)
	// Output: 00:16:3e:72:79:e3 xenbr0 /dev/vg/guest <nil>
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
