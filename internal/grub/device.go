package grub

import (
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// memdisk begins the URL of a file inside the boot image.
const memdisk = "memdisk:"

// url is the URL of a file by GRUB's name for it: "(device)path", or a path on
// $root (kern/file.c; net/net.c, grub_net_open_real).
func (m *machine) url(name string) (string, *failure) {
	device, path := m.get("root"), name
	if rest, found := strings.CutPrefix(name, "("); found {
		if device, path, found = strings.Cut(rest, ")"); !found {
			return "", failed(fileNotFound, "%s: the ) is missing", name)
		}
	}
	protocol, server, found := strings.Cut(device, ",")
	if device == "pxe" || strings.HasPrefix(device, "pxe:") {
		protocol, server, found = "tftp", strings.TrimPrefix(strings.TrimPrefix(device, "pxe"), ":"), device != "pxe"
	}
	if !found {
		server = m.get("net_default_server")
	}
	server = percent.Escape(server, "%#?;/@")
	switch protocol {
	case "tftp":
		for strings.Contains(path, "//") {
			path = strings.ReplaceAll(path, "//", "/")
		}
		return "tftp://" + server + "/" + percent.Escape(path, "%#?;"), nil
	case "http", "https":
		return protocol + "://" + server + "/" + percent.Escape(strings.TrimPrefix(path, "/"), "#"), nil
	case "memdisk":
		return memdisk + path, nil
	}
	if isDisk(device) {
		m.disk = m.at
	}
	return "", failed(unknownDevice, "there is no device %s on a network", device)
}

// isDisk tells a disk's name from a protocol that GRUB does not have. An empty
// one is where search did not set its variable.
func isDisk(device string) bool {
	for _, kind := range []string{"hd", "fd", "cd", "ahci", "ata", "usb", "nvme", "md", "lvm", "crypt", "loop", "ieee1275", ","} {
		if strings.HasPrefix(device, kind) {
			return true
		}
	}
	return device == ""
}
