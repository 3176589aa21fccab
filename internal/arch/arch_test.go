package arch

import "testing"

func TestFirmware(t *testing.T) {
	for name, want := range map[string]uint16{"bios": 0, "efi32": 6, "efi64": 7, "arm32": 10, "arm64": 11} {
		if got, ok := Firmware(name); got != want || !ok {
			t.Errorf("Firmware(%q) = %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "amd64", "EFI64"} {
		if _, ok := Firmware(name); ok {
			t.Errorf("Firmware(%q) is one", name)
		}
	}
	for code, want := range map[uint16]string{0: "BIOS (architecture 0)", 7: "UEFI x86-64 (architecture 7)", 9: "UEFI x86-64 (EBC) (architecture 9)", 99: "architecture 99"} {
		if got := FirmwareText(code); got != want {
			t.Errorf("FirmwareText(%d) = %q, want %q", code, got, want)
		}
	}
}

func TestMachine(t *testing.T) {
	for name, want := range map[string]Machine{"x86_64": AMD64, "amd64": AMD64, "i386": I386, "i686": I386, "aarch64": ARM64, "efi64": "", "": ""} {
		if got, ok := ParseMachine(name); got != want || ok != (want != "") {
			t.Errorf("ParseMachine(%q) = %q, %v", name, got, ok)
		}
	}
	for m, want := range map[Machine][2]string{AMD64: {"x86_64", "install.amd"}, I386: {"i386", "install.386"}, ARM64: {"aarch64", "install.a64"}} {
		if got := [2]string{m.RPM(), m.DebianCD()}; got != want {
			t.Errorf("%s: %q, want %q", m, got, want)
		}
	}
}
