package xenout_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// A bootloader that has found what to boot answers xl.
func Example() {
	argv := []string{
		"/usr/bin/mybootloader", "--args=console=hvc0", "--output=/var/run/xen/bootloader.7.out", "--output-format=simple0",
		"--output-directory=/var/run/xen", "mac=00:16:3e:72:79:e3,bridge=xenbr0", "/dev/vg/guest",
	}
	call, err := xenout.ParseCall(argv, os.Environ(), func(string) bool { return true })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("domain", call.Domid, "with", call.VIF.MAC, "on", call.VIF.Bridge)

	args, _, err := xenout.FitArgs(call.Format, xenout.PV, xenout.MergeArgs("BOOT_IMAGE=vmlinuz", call.Args))
	if err != nil {
		fmt.Println(err)
		return
	}
	var answer strings.Builder // call.Output in the end
	err = xenout.Write(&answer, call.Format, xenout.Result{
		Kernel: call.OutputDirectory + "/kernel.1", Ramdisk: call.OutputDirectory + "/ramdisk.1", Args: args,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.ReplaceAll(answer.String(), "\x00", "\n"))
	// Output:
	// domain 7 with 00:16:3e:72:79:e3 on xenbr0
	// kernel /var/run/xen/kernel.1
	// ramdisk /var/run/xen/ramdisk.1
	// args BOOT_IMAGE=vmlinuz console=hvc0
}

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
