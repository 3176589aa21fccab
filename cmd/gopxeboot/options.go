package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/cache"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/internal/verify"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// options are what the call and its flags say, for all commands: a flag that a
// command does not have says nothing.
func options(c *cli.Context, call *xenout.Call, con *console.Console) (o boot.Options, err error) {
	o = boot.Options{
		Network:  session.Network{Host: domain.ThisHost(), MAC: call.VIF.MAC, OfVM: call.Toolstack == xenout.XAPI},
		UUID:     c.String("uuid"),
		Timing:   timingOf(c),
		BootFile: c.String("bootfile"),
		Wanted: program.Wanted{
			Label: c.String("label"), ConfigDir: c.String("config-dir"), Kernel: c.String("kernel"), Ramdisk: c.String("ramdisk"),
		},
		Transfer: boot.Transfer{Proxy: c.String("proxy")},
		Spec: handover.Spec{
			OutputDirectory: call.OutputDirectory, Format: call.Format, Args: call.Args,
			MaxKernel: sizeOf(c, "max-kernel", 128<<20), MaxInitrd: sizeOf(c, "max-initrd", sizeOf(c, "max-size", 2<<30)),
			Disk: cmp.Or(c.String("pygrub-image"), call.Disk), Pygrub: c.String("pygrub"), Offset: c.String("offset"),
			Quiet: call.Quiet, Interactive: c.Bool("i"), RunAs: c.Int("runas"),
		},
		Force:   c.Bool("force"),
		Timeout: c.Generic("timeout").(*duration).value,
	}
	if n := c.Uint("vlan"); n > 4094 || n == 0 && c.IsSet("vlan") {
		return o, usage(fmt.Errorf("--vlan %d is not between 1 and 4094", n), "")
	}
	o.Put(call.VIF, c.String("bridge"), uint16(c.Uint("vlan")), con)
	if o.ROM, err = romOf(c); err != nil {
		return o, usage(err, "")
	}
	if o.Program, o.Set, err = programOf(c); err != nil {
		return o, usage(err, "")
	}
	if o.RunAs < 0 || int64(o.RunAs) >= 1<<32-1 {
		// setresuid(2) takes -1 for "stay who you are".
		return o, usage(fmt.Errorf("--runas %d is no uid", o.RunAs), "")
	}
	if name := c.String("guest-type"); c.IsSet("guest-type") {
		if o.Type, err = xenout.ParseGuestType(name); err != nil {
			return o, usage(fmt.Errorf("--guest-type: %w", err), "")
		}
	}
	if o.Net, err = guest.ParseNet(c.String("net")); err != nil {
		return o, usage(err, "")
	}
	if mac := c.String("mac"); mac != "" && mac != randomMAC {
		if o.MAC, err = xenout.ParseMAC(mac); err != nil {
			return o, usage(err, "")
		}
	}
	if server := c.String("server"); server != "" {
		if o.Server, err = addressOf("--server", server); err != nil {
			return o, usage(err, "")
		}
	}
	if name := c.String("pcap"); name != "" {
		// Here, as the child has no files. It is open as long as this process is.
		if o.Pcap, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return o, usage(fmt.Errorf("--pcap: %w", err), "")
		}
	}
	if name := c.String("ca"); name != "" {
		if o.Transfer.CA, err = os.ReadFile(name); err != nil {
			return o, usage(fmt.Errorf("--ca: %w", err), "")
		}
	}
	if o.Transfer.Policy, err = policy(c); err != nil {
		return o, usage(err, policyHint(err))
	}
	if dir := c.String("cache"); dir != "" {
		if o.Transfer.Policy.None() {
			return o, usage(errors.New("--cache has no effect without --sha256, --sums or --key: no digest is known"), "")
		}
		if o.Cache, err = cache.Open(dir, sizeOf(c, "cache-size", 0)); err != nil {
			return o, usage(fmt.Errorf("--cache: %w", err), "")
		}
		o.Cache.Largest = max(o.MaxKernel, o.MaxInitrd)
	}
	if o.Person, err = personOf(c, call, con); err != nil {
		return o, err
	}
	if o.Repository, err = repository(c, call.Location); err != nil {
		return o, err
	}
	if err := direct(c, &o); err != nil {
		return o, err
	}
	return o, giveLease(c, &o)
}

// direct is what --output-format=xe and its options ask for.
func direct(c *cli.Context, o *boot.Options) (err error) {
	o.Apply = c.Bool("apply")
	switch {
	case o.Format != xenout.XE && o.Apply:
		return usage(errors.New("--apply is for --output-format=xe"), "")
	case o.Format != xenout.XE:
		return nil
	case c.Bool("once"):
		return usage(errors.New("a VM without a bootloader boots the same files each time: --once can't help it"), "gopxeboot --unapply after the installation")
	}
	o.OutputDirectory, err = boot.DirectoryOfVM(o.OutputDirectory, o.UUID)
	return err
}

// policy is what files have to be.
func policy(c *cli.Context) (p verify.Policy, err error) {
	if pins, ok := c.Generic("sha256").(*texts); ok {
		p.Pins = *pins
	}
	for name, content := range map[string]*[]byte{"sums": &p.Sums, "key": &p.Key} {
		file := c.String(name)
		if file == "" {
			continue
		}
		if *content, err = readAtMost(file, verify.MaxList); err != nil {
			return p, fmt.Errorf("--%s: %w", name, err)
		}
	}
	_, err = p.Checker()
	return p, err
}

// policyHint is what to do where one of the options is wrong.
func policyHint(err error) string {
	for option, hint := range map[string]string{
		"--key":    "minisign -G -p lab.pub -s lab.key makes a key, of which lab.pub is wanted; gpg --export --armor NAME > lab.pub writes one of OpenPGP's",
		"--sums":   "sha256sum vmlinuz initrd.gz > FILE writes a list",
		"--sha256": "sha256sum FILE says the digest: --sha256 vmlinuz=HEX, where the name is that below the boot file's directory, or a URL",
	} {
		if strings.HasPrefix(err.Error(), option) {
			return hint
		}
	}
	return ""
}

// readAtMost reads a file of dom0's, and not more than so many bytes: it may be a
// device.
func readAtMost(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("%s: %w", name, e.Err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return append([]byte{}, content...), err
}

// sizeOf is the value of a flag for a size, where the command has it.
func sizeOf(c *cli.Context, name string, otherwise int64) int64 {
	if s, ok := c.Generic(name).(*size); ok {
		return s.value
	}
	return otherwise
}

// programOf is what --program and --set say.
func programOf(c *cli.Context) (plan.Program, map[string]string, error) {
	name := plan.Program(c.String("program"))
	if name != "" && name != plan.PXELINUX && name != plan.IPXE && name != plan.GRUB {
		return "", nil, fmt.Errorf("--program %s: there are pxelinux, ipxe and grub", name)
	}
	set := map[string]string{}
	for _, s := range c.StringSlice("set") {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return "", nil, fmt.Errorf("--set %s: want NAME=VALUE", s)
		}
		set[key] = value
	}
	return name, set, nil
}
