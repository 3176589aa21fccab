package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"golang.org/x/sys/unix"
)

// repository is a tree with installers of several distributions: kernels and
// initrds as far as one can tell, each with its name in it.
func repositoryTree(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "repository")
	for _, name := range []string{
		"OL6/images/pxeboot/vmlinuz", "OL6/images/pxeboot/initrd.img",
		"OL5/images/xen/vmlinuz", "OL5/images/xen/initrd.img", "OL5/isolinux/vmlinuz", "OL5/isolinux/initrd.img",
		"fedora/images/f/vmlinuz", "fedora/images/f/initrd.img",
		"sles/boot/x86_64/vmlinuz-xen", "sles/boot/x86_64/initrd-xen",
		"sles/boot/i386/vmlinuz-xenpae", "sles/boot/i386/initrd-xenpae",
		"opensuse/boot/x86_64/loader/linux", "opensuse/boot/x86_64/loader/initrd",
		"debian/dists/lenny/main/installer-i386/current/images/netboot/xen/vmlinuz", "debian/dists/lenny/main/installer-i386/current/images/netboot/xen/initrd.gz",
		"debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux", "debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz",
		"netboot/debian-installer/amd64/linux", "netboot/debian-installer/amd64/initrd.gz",
		"cd/install.amd/vmlinuz", "cd/install.amd/initrd.gz",
		"arch/boot/x86_64/vmlinuz", "arch/boot/x86_64/archiso.img",
		"netbsd/netbsd-INSTALL_XEN3_DOMU.gz",
		"a b/images/pxeboot/vmlinuz", "a b/images/pxeboot/initrd.img",
	} {
		content := "070701 this is " + name
		if base := filepath.Base(name); strings.HasPrefix(base, "vmlinuz") || base == "linux" || strings.HasPrefix(base, "netbsd") {
			content = string(kernelOf(name))
		}
		writeFile(t, filepath.Join(tree, name), content)
	}
	writeFile(t, filepath.Join(tree, "fedora/.treeinfo"), "[general]\narch = x86_64\n[images-x86_64]\nkernel = images/f/vmlinuz\ninitrd = images/f/initrd.img\n")
	for dir := tree; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755) // servers that leave root have to get there
	}
	return tree
}

// kernelOf is a kernel with that text in it.
func kernelOf(text string) []byte {
	return fake.BzImage(fake.Vmlinux(elf.EM_X86_64, []byte(text), fake.Notes(true, true), elf.SHT_NULL))
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	labtest.Check(t, os.MkdirAll(filepath.Dir(name), 0o755))
	labtest.Check(t, os.WriteFile(name, []byte(text), 0o644))
}

// starter starts a server of a tree in a lab.
type starter func(t *testing.T, l *lab.Lab, tree string)

func embeddedTFTP(t *testing.T, l *lab.Lab, tree string) {
	labtest.Check(t, l.Servers.ServeTFTP(tree))
}

func tftpdHPA(t *testing.T, l *lab.Lab, tree string) {
	_, err := real.TFTPD(t.Context(), l.Servers, tree)
	labtest.Check(t, err)
}

// nginx serves the tree by http, and by https with a certificate of its own,
// which is ca.pem beside the tree. What begins with /secret/ needs a password,
// and is user's with the password pass.
func nginx(t *testing.T, l *lab.Lab, tree string) {
	dir := filepath.Dir(tree)
	certificate(t, dir, l.Servers.Address.Addr())
	writeFile(t, dir+"/users", "user:{PLAIN}pass\n")
	_, err := real.Nginx(t.Context(), l.Servers, tree, fmt.Sprintf(`
		listen 443 ssl; ssl_certificate %[1]s/ca.pem; ssl_certificate_key %[1]s/key.pem;
		location /secret/ { alias %[2]s/; auth_basic "a lab"; auth_basic_user_file %[1]s/users; }
		location /forbidden/ { deny all; }
		location /loopback/ { return 302 http://127.0.0.1/OL6/images/xen/vmlinuz; }
		location /away/ { return 302 file:///etc/passwd; }`, dir, tree))
	labtest.Check(t, err)
}

// certificate makes one for the address that signs itself.
func certificate(t *testing.T, dir string, address netip.Addr) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	labtest.Check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{address.AsSlice()}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	labtest.Check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	labtest.Check(t, err)
	writeFile(t, dir+"/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, dir+"/key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func vsftpd(t *testing.T, l *lab.Lab, tree string) {
	dir := filepath.Dir(tree)
	writeFile(t, dir+"/vsftpd.conf", fmt.Sprintf(`listen=YES
background=NO
anonymous_enable=YES
local_enable=NO
anon_root=%s
ftp_username=root
nopriv_user=root
secure_chroot_dir=%s
run_as_launching_user=YES
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
one_process_model=NO
pasv_enable=YES
`, tree, dir))
	cmd, err := real.Program("vsftpd", dir+"/vsftpd.conf")
	labtest.Check(t, err)
	labtest.Start(t, l.Servers, cmd, 21)
}

// ganesha exports the tree by NFSv3, under its own path.
func ganesha(t *testing.T, l *lab.Lab, tree string) { labtest.Ganesha(t, l.Servers, tree) }

// makeImage runs a program that makes an image of a tree: SRC and DST in its
// arguments are the two.
func makeImage(t *testing.T, src, dst, program string, args ...string) {
	t.Helper()
	for i := range args {
		args[i] = strings.NewReplacer("SRC", src, "DST", dst).Replace(args[i])
	}
	cmd, err := real.Program(program, args...)
	labtest.Check(t, err)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
	labtest.Check(t, os.Chmod(dst, 0o644))
}

func isoImage(t *testing.T, src, dst string) {
	makeImage(t, src, dst, "genisoimage", "-quiet", "-R", "-J", "-o", "DST", "SRC")
}

func ext4Image(t *testing.T, src, dst string) {
	makeImage(t, src, dst, "mke2fs", "-q", "-t", "ext4", "-d", "SRC", "DST", "8M")
}

func squashfsImage(t *testing.T, src, dst string) {
	makeImage(t, src, dst, "mksquashfs", "SRC", "DST", "-quiet", "-noappend")
}

// deviceImage is an ISO image in a block device.
func deviceImage(t *testing.T, src, dst string) {
	isoImage(t, src, dst+".iso")
	out, err := exec.Command("losetup", "--find", "--show", "--read-only", dst+".iso").CombinedOutput()
	device := strings.TrimSpace(string(out))
	if err != nil {
		t.Skipf("no loop device: %v: %s", err, device)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	labtest.Check(t, os.Symlink(device, dst))
}

// locationForm is one way to say where an installer is. Its name is in the
// table of docs/locations.md.
type locationForm struct {
	name   string
	serve  starter
	image  func(t *testing.T, src, dst string) // of OL6, as image beside it
	noVIF  bool                                // none is said, and there is no bridge
	args   []string                            // TREE is the tree
	want   expected
	asDom0 bool // the servers see dom0's address
}

var ol6 = expected{kernel: "OL6/images/pxeboot/vmlinuz", ramdisk: "OL6/images/pxeboot/initrd.img"}

func with(e expected, args string) expected {
	e.args = args
	return e
}

func bootsFiles(kernel, ramdisk string) expected { return expected{kernel: kernel, ramdisk: ramdisk} }

var locationForms = []locationForm{
	// xenpvnetboot's page.
	{name: "http", serve: nginx, args: []string{"--location=http://192.168.1.166/OL6"}, want: ol6},
	{name: "https", serve: nginx, args: []string{"--location=https://192.168.1.166/OL6", "--ca=TREE/../ca.pem"}, want: ol6},
	{name: "ftp", serve: vsftpd, args: []string{"--location=ftp://192.168.1.166/OL6"}, want: ol6},
	{name: "tftp", serve: tftpdHPA, args: []string{"--location=tftp://192.168.1.166/OL6"}, want: ol6},
	{name: "nfs", serve: ganesha, args: []string{"--location=nfs:192.168.1.166:TREE/OL6"}, want: ol6},
	{name: "nfs+iso, an ISO image", serve: ganesha, image: isoImage, args: []string{"--location=nfs+iso:192.168.1.166:TREE/image"}, want: ol6},
	{name: "nfs+iso, a filesystem image", serve: ganesha, image: ext4Image, args: []string{"--location=nfs+iso:192.168.1.166:TREE/image"}, want: ol6},
	{name: "file", noVIF: true, args: []string{"--location=file://TREE/OL6"}, want: ol6},
	{name: "a directory", noVIF: true, args: []string{"--location=TREE/OL6"}, want: ol6},
	{name: "an ISO image", noVIF: true, image: isoImage, args: []string{"--location=TREE/image"}, want: ol6},
	{name: "a filesystem image", noVIF: true, image: ext4Image, args: []string{"--location=TREE/image"}, want: ol6},
	{name: "a device", noVIF: true, image: deviceImage, args: []string{"--location=TREE/image"}, want: ol6},
	{name: "a squashfs image", noVIF: true, image: squashfsImage, args: []string{"--location=TREE/image"}, want: ol6},
	{name: "the four ways, 1", serve: nginx, args: []string{"--location", "http://192.168.1.166/", "--kernel=OL6/images/pxeboot/vmlinuz", "--ramdisk=OL6/images/pxeboot/initrd.img"}, want: ol6},
	{name: "the four ways, 2", serve: nginx, args: []string{"--location", "http://192.168.1.166/OL6", "--kernel=images/pxeboot/vmlinuz", "--ramdisk=images/pxeboot/initrd.img"}, want: ol6},
	{name: "the four ways, 3", serve: nginx, args: []string{"--location", "http://192.168.1.166/OL6"}, want: ol6},
	{name: "the four ways, 4", serve: nginx, args: []string{"--kernel=http://192.168.1.166/OL6/images/pxeboot/vmlinuz", "--ramdisk=http://192.168.1.166/OL6/images/pxeboot/initrd.img"}, want: ol6},
	{name: "a kernel's URL alone", serve: nginx, args: []string{"--kernel=http://192.168.1.166/netbsd/netbsd-INSTALL_XEN3_DOMU.gz", "--args=bootdev=xennet0"}, want: expected{kernel: "netbsd/netbsd-INSTALL_XEN3_DOMU.gz", args: "bootdev=xennet0"}},
	{name: "a kernel's URL beside a location", serve: nginx, args: []string{"--location=http://192.168.1.166/OL5", "--kernel=http://192.168.1.166/OL6/images/pxeboot/vmlinuz"}, want: bootsFiles("OL6/images/pxeboot/vmlinuz", "")},
	{name: "a kernel without a ramdisk", serve: nginx, args: []string{"--location=http://192.168.1.166/OL5", "--kernel=isolinux/vmlinuz"}, want: bootsFiles("OL5/isolinux/vmlinuz", "OL5/isolinux/initrd.img")},
	{name: "file://, a kernel of dom0's", noVIF: true, args: []string{"--kernel=file://TREE/OL6/images/pxeboot/vmlinuz", "--ramdisk=file://TREE/OL6/images/pxeboot/initrd.img"}, want: ol6},
	{name: "--args", serve: nginx, args: []string{"--location=http://192.168.1.166/OL6", "--args=ks=http://192.168.1.166/ks.cfg console=hvc0"}, want: with(ol6, "ks=http://192.168.1.166/ks.cfg console=hvc0")},
	{name: "no vif", serve: nginx, noVIF: true, asDom0: true, args: []string{"--location=http://192.168.1.166/OL6"}, want: ol6},
	{name: "--net dom0", serve: nginx, asDom0: true, args: []string{"--net=dom0", "--location=http://192.168.1.166/OL6"}, want: ol6},
	{name: "a password", serve: nginx, args: []string{"--location=http://user:pass@192.168.1.166/secret/OL6"}, want: ol6},
	{name: "names with blanks", noVIF: true, args: []string{"--location=TREE/a b"}, want: bootsFiles("a b/images/pxeboot/vmlinuz", "a b/images/pxeboot/initrd.img")},
	// xenpvboot's positional form.
	{name: "a positional", serve: nginx, args: []string{"-q", "--kernel", "images/pxeboot/vmlinuz", "--ramdisk", "images/pxeboot/initrd.img", "http://192.168.1.166/OL6"}, want: ol6},
	{name: "a positional, nfs", serve: ganesha, args: []string{"nfs:192.168.1.166:TREE/OL6"}, want: ol6},
	// The search.
	{name: "the first place", serve: embeddedTFTP, args: []string{"--location=tftp://192.168.1.166/OL5"}, want: bootsFiles("OL5/images/xen/vmlinuz", "OL5/images/xen/initrd.img")},
	{name: ".treeinfo", serve: nginx, args: []string{"--location=http://192.168.1.166/fedora"}, want: bootsFiles("fedora/images/f/vmlinuz", "fedora/images/f/initrd.img")},
	{name: "SLES", serve: nginx, args: []string{"--location=http://192.168.1.166/sles"}, want: bootsFiles("sles/boot/x86_64/vmlinuz-xen", "sles/boot/x86_64/initrd-xen")},
	{name: "openSUSE", serve: nginx, args: []string{"--location=http://192.168.1.166/opensuse"}, want: bootsFiles("opensuse/boot/x86_64/loader/linux", "opensuse/boot/x86_64/loader/initrd")},
	{name: "Debian's mirror, --release", serve: nginx, args: []string{"--location=http://192.168.1.166/debian", "--release=bookworm"}, want: bootsFiles("debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux", "debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/initrd.gz")},
	{name: "Debian's mirror, --arch", serve: nginx, args: []string{"--location=http://192.168.1.166/debian/dists/lenny", "--release=bookworm", "--arch=i386", "--arch=efi64"}, want: bootsFiles("debian/dists/lenny/main/installer-i386/current/images/netboot/xen/vmlinuz", "debian/dists/lenny/main/installer-i386/current/images/netboot/xen/initrd.gz")},
	{name: "Debian's netboot tree", serve: embeddedTFTP, args: []string{"--location=tftp://192.168.1.166/netboot"}, want: bootsFiles("netboot/debian-installer/amd64/linux", "netboot/debian-installer/amd64/initrd.gz")},
	{name: "Debian's CD", noVIF: true, args: []string{"--location=TREE/cd"}, want: bootsFiles("cd/install.amd/vmlinuz", "cd/install.amd/initrd.gz")},
	// eliloader's arguments.
	{name: "--distro rhlike", serve: nginx, args: []string{"--location=http://192.168.1.166/OL6", "--distro=rhlike", "--args=text"}, want: with(ol6, "method=http://192.168.1.166/OL6/ text")},
	{name: "--distro sleslike", serve: nginx, args: []string{"--location=http://192.168.1.166/sles", "--distro=sleslike", "--arch=i386"}, want: with(bootsFiles("sles/boot/i386/vmlinuz-xenpae", "sles/boot/i386/initrd-xenpae"), "install=http://192.168.1.166/sles/")},
	{name: "--distro debianlike", serve: nginx, args: []string{"--location=http://192.168.1.166/debian", "--distro=debianlike", "--release=lenny", "--arch=i386"}, want: bootsFiles("debian/dists/lenny/main/installer-i386/current/images/netboot/xen/vmlinuz", "debian/dists/lenny/main/installer-i386/current/images/netboot/xen/initrd.gz")},
	{name: "--distro pygrub", serve: nginx, args: []string{"--location=http://192.168.1.166/arch/boot/x86_64/", "--distro=pygrub", "--kernel=vmlinuz", "--ramdisk=archiso.img"}, want: bootsFiles("arch/boot/x86_64/vmlinuz", "arch/boot/x86_64/archiso.img")},
	{name: "nfs://host/path", serve: ganesha, args: []string{"--location=nfs://192.168.1.166TREE/OL6", "--distro=rhlike"}, want: with(ol6, "method=nfs:192.168.1.166:TREE/OL6/")},
	{name: "nfs://host:/path", serve: ganesha, args: []string{"--location=nfs://192.168.1.166:TREE/OL6", "--distro=sleslike", "--kernel=images/pxeboot/vmlinuz"}, want: with(ol6, "install=nfs://192.168.1.166TREE/OL6/")},
}

// Each form boots what it says, and leaves nothing else.
func TestLocations(t *testing.T) {
	for _, form := range locationForms {
		t.Run(form.name, func(t *testing.T) {
			l := locationLab(t, form.asDom0)
			tree := repositoryTree(t)
			if form.image != nil {
				form.image(t, filepath.Join(tree, "OL6"), filepath.Join(tree, "image"))
			}
			if form.serve != nil {
				form.serve(t, l, tree)
			} else {
				labtest.Check(t, l.Close()) // there is neither a server nor a bridge
			}
			inTree := strings.NewReplacer("TREE", tree)
			dir := t.TempDir()
			args := []string{"--output-format=simple0", "--output-directory=" + dir}
			for _, a := range form.args {
				args = append(args, inTree.Replace(a))
			}
			if !form.noVIF {
				args = append(args, vif)
			}
			o := gopxeboot(t, append(args, "/dev/vg/guest")...)
			if o.Code != 0 {
				t.Fatalf("%+v", o)
			}
			result, err := xenread.Simple0(o.Stdout)
			labtest.Check(t, err)
			form.want.args = inTree.Replace(form.want.args)
			checkBoots(t, result, form.want, tree, &dom0{})
			equal(t, "left", entries(t, dir), []string(nil))
			if form.asDom0 && len(l.Requests()) > 0 {
				t.Errorf("somebody did DHCP: %v", l.Requests())
			}
		})
	}
}

// locationLab has a DHCP server without a boot file: it has no part in this.
// With a dom0 that downloads itself there is none.
func locationLab(t *testing.T, asDom0 bool) *lab.Lab {
	t.Helper()
	if asDom0 {
		return labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	}
	l := labtest.New(t, lab.Config{})
	config := lab.SampleDHCP()
	config.BootFile, config.NextServer = "", netip.Addr{}
	labtest.Check(t, l.Servers.ServeDHCP(config))
	return l
}

// Debian's own netboot tree is a repository.
func TestDebianNetboot(t *testing.T) {
	const name = "usr/lib/debian-installer/images/12/amd64/text"
	servers := os.Getenv("GOPXEBOOT_SERVERS")
	if servers == "" {
		servers = "../../build/servers"
	}
	tree, err := filepath.Abs(filepath.Join(servers, "debian-installer-12-netboot-amd64", name))
	labtest.Check(t, err)
	if _, err := os.Stat(tree); err != nil {
		if tree = "/" + name; !isDir(tree) {
			labtest.Missing(t, "Debian's netboot tree: .ci/servers fetches it, from Debian's package debian-installer-12-netboot-amd64")
		}
	}
	for name, args := range map[string][]string{
		"tftp":      {"--location=tftp://192.168.1.166/", vif},
		"directory": {"--location=" + tree},
	} {
		t.Run(name, func(t *testing.T) {
			l := locationLab(t, false)
			tftpdHPA(t, l, tree)
			dir := t.TempDir()
			if o := gopxeboot(t, append(args, "--output-directory="+dir)...); o.Code != 0 {
				t.Fatalf("%+v", o)
			}
			kernel, ramdisk := results(t, dir)
			sameFile(t, kernel, tree+"/debian-installer/amd64/linux")
			sameFile(t, ramdisk, tree+"/debian-installer/amd64/initrd.gz")
		})
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// badLocation is a location that nothing boots from.
type badLocation struct {
	name  string
	serve starter
	tree  func(t *testing.T, tree string)
	args  []string // TREE is the tree
	noVIF bool
	code  int
	says  []string
}

func remove(names ...string) func(t *testing.T, tree string) {
	return func(t *testing.T, tree string) {
		for _, name := range names {
			labtest.Check(t, os.RemoveAll(filepath.Join(tree, name)))
		}
	}
}

func forbid(t *testing.T, tree string) {
	labtest.Check(t, os.Chmod(filepath.Join(tree, "OL6/images/pxeboot/vmlinuz"), 0))
}

// huge makes the kernel as large as nobody wants it: a hole.
func huge(t *testing.T, tree string) {
	labtest.Check(t, os.Truncate(filepath.Join(tree, "OL6/images/pxeboot/vmlinuz"), 1<<40))
}

// halfISO is an image that ends within its files.
func halfISO(t *testing.T, tree string) {
	image := filepath.Join(tree, "image")
	writeFile(t, filepath.Join(tree, "OL6/images/pxeboot/initrd.img"), strings.Repeat("initrd ", 1<<20))
	isoImage(t, filepath.Join(tree, "OL6"), image)
	info, err := os.Stat(image)
	labtest.Check(t, err)
	labtest.Check(t, os.Truncate(image, info.Size()/2))
}

// fakeHTTP answers each request with the same bytes, again and again when
// endless, and otherwise hangs up in the middle.
func fakeHTTP(header string, endless bool) starter {
	return func(t *testing.T, l *lab.Lab, _ string) {
		serveTCP(t, l.Servers, "192.168.1.166:80", func(conn net.Conn) {
			request := make([]byte, 4096)
			conn.Read(request)
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n", header)
			content := make([]byte, 1<<16)
			copy(content, "070701")
			if bytes.Contains(request, []byte("vmlinuz")) {
				copy(content, kernelOf("x"))
			}
			for {
				if _, err := conn.Write(content); err != nil || !endless {
					return
				}
			}
		})
	}
}

// serveTCP has a host of the lab serve each connection to address, which ends when
// the function returns.
func serveTCP(t *testing.T, h *lab.Host, address string, serve func(net.Conn)) {
	t.Helper()
	var listener net.Listener
	labtest.Check(t, h.Do(func() (err error) {
		listener, err = net.Listen("tcp4", address)
		return err
	}))
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
}

var badLocations = []badLocation{
	{name: "http, host down", args: []string{"--location=http://192.168.1.250/OL6"}, code: 4, says: []string{"location: http://192.168.1.250/OL6/.treeinfo", "no route to host"}},
	{name: "http, nobody listens", args: []string{"--location=http://192.168.1.166/OL6"}, code: 4, says: []string{"location: http://192.168.1.166/OL6/", "connection refused"}},
	{name: "http, path missing", serve: nginx, args: []string{"--location=http://192.168.1.166/OL9"}, code: 4, says: []string{"no kernel found in http://192.168.1.166/OL9/", "names asked for", "--kernel"}},
	{name: "http, file missing", serve: nginx, args: []string{"--location=http://192.168.1.166/OL6", "--kernel=vmlinuz"}, code: 6, says: []string{"kernel: http://192.168.1.166/OL6/vmlinuz", "404"}},
	{name: "http, permission denied", serve: nginx, args: []string{"--location=http://192.168.1.166/forbidden/OL6"}, code: 4, says: []string{"no kernel found", "403"}},
	{name: "http, no password", serve: nginx, args: []string{"--location=http://192.168.1.166/secret/OL6"}, code: 4, says: []string{"login refused", "401", "USER:PASSWORD"}},
	{name: "http, truncated", serve: fakeHTTP("Content-Length: 1000000\r\n", false), args: []string{"--location=http://192.168.1.166/"}, code: 6, says: []string{"http://192.168.1.166/images/xen/", "65536 of 1000000 bytes"}},
	{name: "http, endless", serve: fakeHTTP("", true), args: []string{"--location=http://192.168.1.166/", "--max-kernel=1M", "--max-initrd=1M"}, code: 6, says: []string{"http://192.168.1.166/images/xen/", "--max-"}},
	{name: "http, a redirect to dom0", serve: nginx, args: []string{"--location=http://192.168.1.166/away"}, code: 4, says: []string{"no kernel found", "redirect to file:///etc/passwd"}},
	{name: "https, a certificate of nobody's", serve: nginx, args: []string{"--location=https://192.168.1.166/OL6"}, code: 4, says: []string{"certificate"}},
	{name: "ftp, host down", args: []string{"--location=ftp://192.168.1.250/OL6"}, code: 4, says: []string{"ftp://192.168.1.250/OL6/.treeinfo"}},
	{name: "ftp, path missing", serve: vsftpd, args: []string{"--location=ftp://192.168.1.166/OL9"}, code: 4, says: []string{"no kernel found"}},
	{name: "ftp, permission denied", serve: vsftpd, tree: forbid, args: []string{"--location=ftp://192.168.1.166/OL6"}, code: 4, says: []string{"no kernel found"}},
	{name: "ftp, too large", serve: vsftpd, tree: huge, args: []string{"--location=ftp://192.168.1.166/OL6"}, code: 6, says: []string{"images/pxeboot/vmlinuz: 1024.0 GiB announced", "--max-kernel"}},
	{name: "tftp, host down", args: []string{"--location=tftp://192.168.1.250/OL6", "--timeout=20"}, code: 4, says: []string{"tftp://192.168.1.250/OL6/.treeinfo"}},
	{name: "tftp, path missing", serve: tftpdHPA, args: []string{"--location=tftp://192.168.1.166/OL9"}, code: 4, says: []string{"no kernel found"}},
	{name: "tftp, permission denied", serve: tftpdHPA, tree: forbid, args: []string{"--location=tftp://192.168.1.166/OL6"}, code: 4, says: []string{"no kernel found"}},
	{name: "tftp, too large", serve: tftpdHPA, tree: huge, args: []string{"--location=tftp://192.168.1.166/OL6"}, code: 6, says: []string{"images/pxeboot/vmlinuz: 1024.0 GiB announced", "--max-kernel"}},
	{name: "nfs, host down", args: []string{"--location=nfs:192.168.1.250:/srv"}, code: 4, says: []string{"nfs://192.168.1.250/srv/.treeinfo"}},
	{name: "nfs, path missing", serve: ganesha, args: []string{"--location=nfs:192.168.1.166:TREE/OL9"}, code: 4, says: []string{"no kernel found"}},
	{name: "nfs, not exported", serve: ganesha, args: []string{"--location=nfs:192.168.1.166:/etc"}, code: 4, says: []string{"nfs://192.168.1.166/etc/"}},
	{name: "nfs, permission denied", serve: ganesha, tree: forbid, args: []string{"--location=nfs:192.168.1.166:TREE/OL6"}, code: 4, says: []string{"no kernel found", "ermission denied"}},
	{name: "nfs, too large", serve: ganesha, tree: huge, args: []string{"--location=nfs:192.168.1.166:TREE/OL6"}, code: 6, says: []string{"--max-kernel"}},
	{name: "nfs+iso, truncated", serve: ganesha, tree: halfISO, args: []string{"--location=nfs+iso:192.168.1.166:TREE/image"}, code: 6, says: []string{"image!/images/pxeboot/", "compare the image's size and digest"}},
	{name: "nfs+iso, no image", serve: ganesha, args: []string{"--location=nfs+iso:192.168.1.166:TREE/OL6/images/pxeboot/vmlinuz"}, code: 4, says: []string{"vmlinuz!/", "name an image of ISO 9660, ext, FAT, squashfs or XFS"}},
	{name: "a directory that is not there", noVIF: true, args: []string{"--location=TREE/OL9"}, code: 4, says: []string{"location: ", "TREE/OL9: no such file"}},
	{name: "a directory without an installer", noVIF: true, args: []string{"--location=TREE/OL6/images"}, code: 4, says: []string{"no kernel found in file://"}},
	{name: "a kernel that leads out of the directory", noVIF: true, args: []string{"--location=TREE/OL6"}, code: 4, says: []string{"no kernel found", "leads out of TREE/OL6"}, tree: func(t *testing.T, tree string) {
		writeFile(t, tree+"/secret", "a secret")
		remove("OL6/images/pxeboot/vmlinuz")(t, tree)
		labtest.Check(t, os.Symlink("../../../secret", tree+"/OL6/images/pxeboot/vmlinuz"))
	}},
	{name: "a .treeinfo that leads out of the directory", noVIF: true, args: []string{"--location=TREE/fedora"}, code: 4, says: []string{"no kernel found in file://"}, tree: func(t *testing.T, tree string) {
		writeFile(t, tree+"/fedora/.treeinfo", "[images-xen]\nkernel = file://"+tree+"/OL6/images/pxeboot/vmlinuz\ninitrd = ../OL6/images/pxeboot/initrd.img\n[images-x86_64]\nkernel = "+tree+"/OL6/images/pxeboot/vmlinuz\ninitrd = "+tree+"/OL6/images/pxeboot/initrd.img\n")
	}},
	{name: "an empty kernel", noVIF: true, args: []string{"--location=TREE/OL6"}, code: 4, says: []string{"no kernel found", "TREE/OL6/images/pxeboot/vmlinuz: the file is empty"}, tree: func(t *testing.T, tree string) {
		writeFile(t, tree+"/OL6/images/pxeboot/vmlinuz", "")
	}},
	{name: "dom0 without a network", noVIF: true, args: []string{"--location=http://192.168.1.166/OL6"}, code: 4, says: []string{"network is unreachable", "dom0 has no route there", "mac="}},
	{name: "a FIFO", noVIF: true, args: []string{"--location=TREE/OL6"}, code: 4, says: []string{"no kernel found"}, tree: func(t *testing.T, tree string) {
		remove("OL6/images/pxeboot/vmlinuz")(t, tree)
		labtest.Check(t, unix.Mkfifo(tree+"/OL6/images/pxeboot/vmlinuz", 0o644))
	}},
	{name: "an image that is none", noVIF: true, args: []string{"--location=TREE/OL6/images/pxeboot/vmlinuz"}, code: 4, says: []string{"vmlinuz!/", "name an image of ISO 9660, ext, FAT, squashfs or XFS"}},
	{name: "an image that is truncated", noVIF: true, tree: halfISO, args: []string{"--location=TREE/image"}, code: 6, says: []string{"image!/images/pxeboot/", "compare the image's size and digest"}},
	{name: "a terminal", noVIF: true, args: []string{"--location=/dev/tty"}, code: 4, says: []string{"/dev/tty"}},
	{name: "a kernel of dom0's that is not there", noVIF: true, args: []string{"--kernel=file://TREE/nothing"}, code: 4, says: []string{"nothing: no such file"}},
	{name: "--net guest without a vif", noVIF: true, args: []string{"--net=guest", "--location=http://192.168.1.166/OL6"}, code: 2, says: []string{"MAC"}},
}

// Each ends with its exit code and one line, and leaves nothing.
func TestBadLocations(t *testing.T) {
	for _, test := range badLocations {
		t.Run(test.name, func(t *testing.T) {
			l := locationLab(t, false)
			tree := repositoryTree(t)
			if test.tree != nil {
				test.tree(t, tree)
			}
			if test.serve != nil {
				test.serve(t, l, tree)
			}
			dir := t.TempDir()
			answer := filepath.Join(t.TempDir(), "answer")
			labtest.Check(t, os.WriteFile(answer, nil, 0o600))
			args := []string{"--output=" + answer, "--output-format=simple0", "--output-directory=" + dir}
			for _, a := range test.args {
				args = append(args, strings.ReplaceAll(a, "TREE", tree))
			}
			if !test.noVIF {
				args = append(args, vif)
			}
			begin := time.Now()
			o := gopxeboot(t, args...)
			if o.Code != test.code {
				t.Errorf("exit code %d, want %d: %s", o.Code, test.code, o.Stderr)
			}
			last := lastLine(o.Stderr)
			for _, text := range test.says {
				contains(t, last, strings.ReplaceAll(text, "TREE", tree))
			}
			t.Logf("%v %s", time.Since(begin).Round(time.Millisecond), last)
			for line := range strings.Lines(o.Stderr) {
				if !strings.HasPrefix(line, "gopxeboot: ") {
					t.Errorf("a line without our name: %q", line)
				}
			}
			equal(t, "left in the output directory", entries(t, dir), []string(nil))
			equal(t, "the answer", readFile(t, answer), "")
		})
	}
}

// Nothing that comes from the network names a file of dom0's.
func TestFileURLsOfTheNetwork(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, "a secret")
	for _, config := range []string{
		"default a\nlabel a\n kernel file://" + secret + "\n",
		"default a\nlabel a\n kernel " + lab.SampleKernel + "\n initrd file://" + secret + "\n",
		"include file://" + secret + "\ndefault a\nlabel a\n kernel file://" + secret + "!/x\n",
	} {
		labtest.Check(t, os.WriteFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), []byte(config), 0o644))
		dir := t.TempDir()
		o := gopxeboot(t, "--output-directory="+dir, vif)
		if o.Code != 5 || o.Stdout != "" {
			t.Errorf("%s: %+v", config, o)
		}
		contains(t, o.Stderr, "PXELINUX knows tftp, http and ftp, not file")
		equal(t, "left", entries(t, dir), []string(nil))
	}
}

// plan says what would boot, from where, and what was looked for.
func TestPlanLocation(t *testing.T) {
	labtest.New(t, lab.Config{})
	tree := repositoryTree(t)
	o := gopxeboot(t, "plan", "--location="+tree+"/OL6", "--distro=sleslike", "--kernel=images/pxeboot/vmlinuz")
	if o.Code != 0 {
		t.Fatalf("%+v", o)
	}
	contains(t, o.Stdout, `"net": "none"`, `"location": "file://`+tree+`/OL6/"`, `"outcome": "linux"`, `"kernel": "file://`+tree+`/OL6/images/pxeboot/vmlinuz"`, `"args": "install=hd"`, `"result": "found"`)
	o = gopxeboot(t, "plan", "-v", "--location="+tree+"/OL9")
	if o.Code != 4 {
		t.Errorf("%+v", o)
	}
	o = gopxeboot(t, "-n", "-v", "--location="+tree+"/OL6")
	equal(t, "-n", o.Stdout, "kernel: file://"+tree+"/OL6/images/pxeboot/vmlinuz\ninitrd: file://"+tree+"/OL6/images/pxeboot/initrd.img\nargs: \n")
	contains(t, o.Stderr, "location: file://"+tree+"/OL6/images/xen/vmlinuz: not found", "location: file://"+tree+"/OL6/images/pxeboot/vmlinuz: found")
}

// As dom0 its own names and its own servers count, and only when a person
// named them.
func TestLocationOfDom0(t *testing.T) {
	l := locationLab(t, true)
	tree := repositoryTree(t)
	labtest.Check(t, l.Dom0.ServeHTTP(tree))
	nginx(t, l, tree)
	o := gopxeboot(t, "--output-directory="+t.TempDir(), "--location=http://192.168.1.166/loopback")
	if o.Code != 4 {
		t.Errorf("a server leads to dom0's loopback: %+v", o)
	}
	contains(t, o.Stderr, "127.0.0.1 is no address of a server")
	localhost := "localhost"
	if _, err := net.LookupHost(localhost); err != nil {
		localhost = "127.0.0.1" // a minimal root has no /etc/hosts
	}
	for location, code := range map[string]int{"http://" + localhost + "/OL6": 0, "http://127.0.0.1/OL6": 0, "http://192.168.1.1/OL6": 0, "http://no.such.host.invalid/OL6": 4} {
		dir := t.TempDir()
		o := gopxeboot(t, "--output-directory="+dir, "--location="+location)
		if o.Code != code {
			t.Errorf("%s: %+v", location, o)
		}
		if code == 0 {
			kernel, _ := results(t, dir)
			sameFile(t, kernel, tree+"/OL6/images/pxeboot/vmlinuz")
			contains(t, o.Stderr, "no interface of the guest's is known, so dom0 downloads by itself")
		}
	}
}

// The table in the document names each form, and no other.
func TestLocationTable(t *testing.T) {
	var want, got []string
	for _, form := range locationForms {
		want = append(want, "TestLocations/"+form.name)
	}
	for _, form := range eliloaderForms {
		want = append(want, "TestEliloader/"+form.name)
	}
	for _, m := range regexp.MustCompile("(?m)^\\|.*\\| `(Test(?:Locations|Eliloader)/.*)` \\|$").FindAllStringSubmatch(readFile(t, "../../docs/locations.md"), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	equal(t, "forms in the table", got, want)
}
