// Package real runs real servers on the hosts of a lab, for tests and the
// benchmark: Debian's, installed or as .ci/servers unpacks them.
package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// serversVariable names the directory that .ci/servers fetched into, when it
// is not build/servers of the module.
const serversVariable = "GOPXEBOOT_SERVERS"

// packages are the Debian packages of the servers that the lab can run, of their
// clients, and of the programs that make disk images for tests.
var packages = map[string]string{
	"dnsmasq":   "dnsmasq-base",
	"dhcpd":     "isc-dhcp-server",
	"kea-dhcp4": "kea-dhcp4-server",
	"dhcrelay":  "isc-dhcp-relay",
	"in.tftpd":  "tftpd-hpa",
	"atftpd":    "atftpd",
	"tftp":      "tftp-hpa",
	"atftp":     "atftp",

	"nginx":        "nginx",
	"squid":        "squid",
	"minisign":     "minisign",
	"tshark":       "tshark",
	"dhclient":     "isc-dhcp-client",
	"vsftpd":       "vsftpd",
	"rpcbind":      "rpcbind",
	"ganesha.nfsd": "nfs-ganesha-vfs",

	"xorriso":     "xorriso",
	"genisoimage": "genisoimage",
	"mke2fs":      "e2fsprogs",
	"mkfs.fat":    "dosfstools",
	"mtools":      "mtools",
	"mksquashfs":  "squashfs-tools",
	"mkfs.xfs":    "xfsprogs",
	"fdisk":       "fdisk",
	"sfdisk":      "fdisk",

	"grub-mknetdir": "grub-pc-bin",
}

// MissingError is a program that this machine does not have.
type MissingError struct {
	Program string
	Package string // Debian's, "" when not known
}

func (e *MissingError) Error() string {
	if e.Package == "" {
		return fmt.Sprintf("%s is not installed", e.Program)
	}
	return fmt.Sprintf("%s is not there: .ci/servers fetches it, from Debian's package %s", e.Program, e.Package)
}

// sbin is where Debian has servers and a user's PATH does not look.
const sbin = "/usr/local/sbin:/usr/sbin:/sbin"

// Program is a command that runs one of this machine's programs, or one that
// .ci/servers fetched, with its libraries. The error is a *MissingError.
func Program(name string, args ...string) (*exec.Cmd, error) {
	return findProgram(name, args, os.Getenv("PATH")+":"+sbin, serversDir())
}

// File is one of this machine's files, or where .ci/servers put it from that package.
func File(name, pkg string) (string, error) {
	for _, file := range []string{name, filepath.Join(serversDir(), pkg, name)} {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", &MissingError{Program: filepath.Base(name), Package: pkg}
}

func findProgram(name string, args []string, path, servers string) (*exec.Cmd, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if filepath.IsAbs(file) && isProgram(file) {
			return exec.Command(file, args...), nil
		}
	}
	missing := &MissingError{Program: name, Package: packages[name]}
	root := filepath.Join(servers, missing.Package)
	if servers == "" || missing.Package == "" {
		return nil, missing
	}
	for _, dir := range []string{"usr/sbin", "usr/bin", "sbin", "bin"} {
		file := filepath.Join(root, dir, name)
		if isProgram(file) {
			cmd := exec.Command(file, args...)
			cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraryPath(root))
			return cmd, nil
		}
	}
	return nil, missing
}

// isProgram tells a program from what is none, and a server from another one's
// link with its name, as atftpd's in.tftpd is. A tool may be a link, as
// binutils' as is.
func isProgram(file string) bool {
	name := filepath.Base(file)
	target, err := filepath.EvalSymlinks(file)
	if err != nil || packages[name] != "" && filepath.Base(target) != name {
		return false
	}
	_, err = exec.LookPath(target)
	return err == nil
}

// serversDir is where .ci/servers put its programs, "" when not known.
func serversDir() string {
	if dir := os.Getenv(serversVariable); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "build/servers")
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// libraryPath is LD_LIBRARY_PATH for programs under dir.
func libraryPath(dir string) string {
	var found []string
	for _, pattern := range []string{"usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib", "lib"} {
		// The only error is of a bad pattern.
		matches, _ := filepath.Glob(filepath.Join(dir, pattern))
		found = append(found, matches...)
	}
	return strings.Join(found, ":")
}
