package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// grubTree is a tree with a GRUB for a BIOS that grub-mknetdir made, and a
// grub.cfg in two parts.
func grubTree(t *testing.T) string {
	t.Helper()
	tree := labtest.TempDir(t)
	mknetdir := labtest.Program(t, "grub-mknetdir")
	modules := filepath.Join(filepath.Dir(mknetdir.Path), "../lib/grub/i386-pc")
	mknetdir.Args = append(mknetdir.Args, "--net-directory="+tree, "--subdir=boot/grub", "--directory="+modules)
	if out, err := mknetdir.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sample := sampleTree(t)
	for name, text := range map[string]string{
		"boot/grub/grub.cfg": "configfile $prefix/hosts/$net_default_mac\nmenuentry 'disk' { exit; }\n",
		"boot/grub/hosts/" + lab.SampleMAC: "set timeout=5\nset default=install\n" +
			"menuentry 'Install' --id install {\n\tlinux (tftp)/" + lab.SampleKernel + " \"a b\" mac=$net_default_mac\n\tinitrd /" + lab.SampleInitrd + "\n}\n",
	} {
		writeFile(t, filepath.Join(tree, name), text)
	}
	for _, name := range []string{lab.SampleKernel, lab.SampleInitrd} {
		text, err := os.ReadFile(filepath.Join(sample, name))
		labtest.Check(t, err)
		writeFile(t, filepath.Join(tree, name), string(text))
	}
	return tree
}

// A lab that hands out GRUB's core.0, by dnsmasq and by ISC dhcpd.
func TestGRUBForBIOS(t *testing.T) {
	dhcp := lab.SampleDHCP()
	dhcp.BootFile = "boot/grub/i386-pc/core.0"
	for name, start := range map[string]func(context.Context, *lab.Host, string) error{
		"dnsmasq": func(ctx context.Context, h *lab.Host, tree string) error {
			_, err := real.Dnsmasq(ctx, h, dhcp, tree)
			return err
		},
		"dhcpd and tftpd-hpa": func(ctx context.Context, h *lab.Host, tree string) error {
			if _, err := real.DHCPD(ctx, h, dhcp); err != nil {
				return err
			}
			_, err := real.TFTPD(ctx, h, tree)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			tree := grubTree(t)
			labtest.Check(t, start(t.Context(), l.Servers, tree))
			dir := t.TempDir()
			o := gopxeboot(t, "--output-format=simple", "--output-directory="+dir, vif)
			if o.Code != 0 {
				t.Fatalf("%+v", o)
			}
			kernel, ramdisk := results(t, dir)
			sameFile(t, kernel, filepath.Join(tree, lab.SampleKernel))
			sameFile(t, ramdisk, filepath.Join(tree, lab.SampleInitrd))
			contains(t, o.Stdout, "args BOOT_IMAGE=(tftp)/"+lab.SampleKernel+" \"a b\" mac="+lab.SampleMAC)
			contains(t, o.Stderr, "gopxeboot: config: tftp://192.168.1.166/", "/boot/grub/grub.cfg (10 names asked for")
		})
	}
}

// A lab that has boot files for UEFI machines only, with Debian's netboot tree
// as it comes: shim, and GRUB behind it.
func TestGRUBForUEFI(t *testing.T) {
	tree := filepath.Join(os.Getenv("GOPXEBOOT_SERVERS"), "debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text")
	if _, err := os.Stat(tree); err != nil {
		labtest.Missing(t, err)
	}
	for name, start := range map[string]func(context.Context, *lab.Host, lab.DHCP) error{
		"dnsmasq": func(ctx context.Context, h *lab.Host, dhcp lab.DHCP) error {
			_, err := real.Dnsmasq(ctx, h, dhcp, tree, "--dhcp-match=set:efi64,option:client-arch,7",
				"--dhcp-boot=tag:efi64,debian-installer/amd64/bootnetx64.efi,,192.168.1.166")
			return err
		},
		"dhcpd and tftpd-hpa": func(ctx context.Context, h *lab.Host, dhcp lab.DHCP) error {
			if _, err := real.DHCPD(ctx, h, dhcp, "option arch code 93 = unsigned integer 16;",
				`if option arch = 00:07 { filename "debian-installer/amd64/grubx64.efi"; }`); err != nil {
				return err
			}
			_, err := real.TFTPD(ctx, h, tree)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			dhcp := lab.SampleDHCP()
			dhcp.BootFile = ""
			if name == "dnsmasq" {
				dhcp.NextServer = dhcp.NextServer.Prev() // any: --dhcp-boot with a tag has its own
			}
			labtest.Check(t, start(t.Context(), l.Servers, dhcp))
			dir := t.TempDir()
			o := gopxeboot(t, "--output-format=simple", "--output-directory="+dir, "--arch=efi64", vif)
			if o.Code != 0 {
				t.Fatalf("%+v", o)
			}
			kernel, ramdisk := results(t, dir)
			sameFile(t, kernel, filepath.Join(tree, "debian-installer/amd64/linux"))
			sameFile(t, ramdisk, filepath.Join(tree, "debian-installer/amd64/initrd.gz"))
			contains(t, o.Stdout, "args BOOT_IMAGE=/debian-installer/amd64/linux vga=788 --- quiet")

			o = gopxeboot(t, "--output-format=simple", "--output-directory="+dir, "--dhcp-timeout=5s", vif)
			if o.Code != 3 {
				t.Errorf("%+v", o)
			}
			contains(t, o.Stderr, "--arch efi64")
		})
	}
}
