package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/urfave/cli/v2"
)

// defaultTimeout is below the 120 s after which libxl kills a restricted
// bootloader.
const defaultTimeout = 110 * time.Second

// guestFlags describe the guest and its network, for every command that acts
// as one. help.go has the order in which options are shown.
func guestFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "mac", Usage: "the guest's `MAC` address, if no VIF says it"},
		&cli.StringFlag{Name: "bridge", Aliases: []string{"interface"}, Usage: "the guest's `BRIDGE`", DefaultText: "the vif's, else xenbr0, else the only one"},
		&cli.UintFlag{Name: "vlan", Usage: "the number `N` of the guest's VLAN on the bridge", DefaultText: "the vif's"},
		&cli.StringFlag{Name: "uuid", Usage: "the guest's `UUID`"},
		&cli.StringFlag{Name: "net", Value: "auto", Usage: "the `NET` to act from: guest (a port of its own on the bridge), dom0 or auto"},
		&cli.GenericFlag{Name: "arch", Value: newArch(runtime.GOARCH), Usage: "ask DHCP as a machine of this `ARCH`: bios, efi32, efi64, arm32, arm64 or a number of RFC 4578", DefaultText: "arm64 on arm64, else bios"},
		&cli.StringFlag{Name: "client-id", Usage: "ask DHCP with the client identifier `TEXT`, or 0xHEX", DefaultText: "the MAC address"},
		&cli.StringFlag{Name: "user-class", Usage: "ask DHCP with the user class `TEXT`"},
		&cli.StringFlag{Name: "vendor-class", Usage: "ask DHCP with the vendor class `TEXT`", DefaultText: "PXEClient:..."},
		&cli.GenericFlag{Name: "option", Value: &texts{}, Usage: "ask DHCP with option `N=VALUE`, text or 0xHEX, in place of gopxeboot's"},
		&cli.GenericFlag{Name: "dhcp-timeout", Value: &waitTime{dhcpclient.DefaultPatience, 1}, Usage: "wait this `TIME` for an offer"},
		&cli.GenericFlag{Name: "retransmit", Value: new(waitTimes(dhcpclient.DefaultRetransmit())), Usage: "send again after these `TIMES`, the last one repeated, with a jitter of 20 %"},
		&cli.GenericFlag{Name: "proxy-wait", Value: &waitTime{value: dhcpclient.DefaultProxyWait}, Usage: "wait this `TIME` after an offer without a boot file for another one, or a proxyDHCP server; 0 for none"},
		&cli.GenericFlag{Name: "arp-probe", Value: &waitTime{value: dhcpclient.DefaultProbeWait}, Usage: "wait this `TIME` for another machine to say that it has the address; 0 not to ask"},
		&cli.StringFlag{Name: "pcap", Usage: "write what DHCP sent and received to this `FILE`, for tcpdump and tshark"},
		&cli.StringFlag{Name: "server", Usage: "use this `ADDRESS` instead of the lease's next-server"},
		&cli.GenericFlag{Name: "timeout", Value: &duration{defaultTimeout}, Usage: "give up after this `TIME`, all stages together"},
		&cli.IntFlag{Name: "runas", Usage: "the `UID` of the process that reads from the network", DefaultText: "one that owns nothing"},
		&cli.BoolFlag{Name: "v", Aliases: []string{"verbose"}, Usage: "say why each thing is done"},
		&cli.BoolFlag{Name: "q", Aliases: []string{"quiet"}, Usage: "say only what is wrong"},
	}
}

// programFlags say what to boot in the place of what the lease says.
func programFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bootfile", Usage: "use this `NAME` instead of the lease's boot file"},
		&cli.StringFlag{Name: "config-dir", Value: "pxelinux.cfg", Usage: "the `DIRECTORY` of configurations below the boot file's"},
		&cli.StringFlag{Name: "label", Aliases: []string{"entry"}, Usage: "boot this `LABEL` instead of the default one, or this item of iPXE's menu"},
		&cli.StringFlag{Name: "program", Usage: "read the configuration of this boot `PROGRAM`: pxelinux, ipxe or grub", DefaultText: "the one that the boot file is"},
		&cli.StringSliceFlag{Name: "set", Usage: "set iPXE's setting `NAME=VALUE`"},
	}
}

// vifFlag is for every command that looks for the guest's vifs.
func vifFlag() cli.Flag {
	return &cli.StringFlag{Name: "vif", Usage: "boot by the guest's vif number `N`, counted from 0, where no VIF says which", DefaultText: "0"}
}

// typeFlag is for every command that says what a guest can boot; otherwise is
// what it is when nothing is said.
func typeFlag(otherwise string) cli.Flag {
	return &cli.StringFlag{Name: "guest-type", Usage: "the guest's `TYPE`: pv, pvh, pvshim or hvm", DefaultText: otherwise}
}

// noMAC is the remedy for a command line without a MAC.
const noMAC = "say mac=00:16:3e:xx:xx:xx,bridge=xenbr0, with what the guest's vif= has, or the guest's name"

func usage(err error, try string) error {
	return fault.New(fault.Usage, "usage", err, try)
}

// level is how much to say.
func level(c *cli.Context) console.Level {
	switch {
	case c.Bool("v"), c.Bool("debug"):
		return console.Verbose
	case c.Bool("q"):
		return console.Quiet
	}
	return console.Normal
}

// oneForm gives each option the first of its names. Package cli refuses two
// forms of one option, and the toolstack's --quiet may meet a user's -q. The
// error is of a word that is none of the options.
func oneForm(words []string, flags []cli.Flag) ([]string, error) {
	first := firstNames(flags)
	var known []string
	for _, name := range slices.Sorted(maps.Keys(first)) {
		known = append(known, dashed(name))
	}
	words = slices.Clone(words)
	for i, word := range words {
		if word == "--" {
			break
		}
		bare := strings.TrimLeft(word, "-")
		name, _, _ := strings.Cut(bare, "=")
		f, ok := first[name]
		if !ok {
			return nil, fmt.Errorf("there is no option %s here%s", dashed(name), didYouMean(dashed(name), known))
		}
		words[i] = word[:len(word)-len(bare)] + f + bare[len(name):]
	}
	return words, nil
}

// firstNames are the names of flags, with the first one of the same flag.
func firstNames(flags []cli.Flag) map[string]string {
	first := make(map[string]string)
	for _, f := range flags {
		names := f.Names()
		for _, name := range names {
			first[name] = names[0]
		}
	}
	return first
}

// duration is a flag's value as Go writes it, or in plain seconds.
type duration struct{ value time.Duration }

func (d *duration) String() string { return timeText(d.value) }

// timeText writes a time in seconds, or in milliseconds.
func timeText(d time.Duration) string {
	if d%time.Second != 0 {
		return fmt.Sprintf("%gms", float64(d)/1e6)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// parseDuration reads a time as Go writes it, or plain seconds.
func parseDuration(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	return time.ParseDuration(text)
}

func (d *duration) Set(text string) error {
	value, err := parseDuration(text)
	if err != nil || value <= 0 {
		return fmt.Errorf("%q is no time: write 20s, 1m30s or seconds", text)
	}
	d.value = value
	return nil
}

// size is a flag's value in bytes, or in K, M or G (of 1024).
type size struct{ value int64 }

func (s *size) String() string {
	for shift, unit := range map[int]string{30: "G", 20: "M", 10: "K"} {
		if s.value >= 1<<shift && s.value < 1<<(shift+10) && s.value%(1<<shift) == 0 {
			return strconv.FormatInt(s.value>>shift, 10) + unit
		}
	}
	return strconv.FormatInt(s.value, 10)
}

func (s *size) Set(text string) error {
	shift := 0
	number := text
	if text != "" {
		if i := strings.IndexByte("KMG", text[len(text)-1]&^0x20); i >= 0 {
			shift, number = 10*(i+1), text[:len(text)-1]
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return fmt.Errorf("%q is no size: write bytes, or 128M", text)
	}
	s.value = n << shift
	return nil
}

// namedFlag knows its names. Package cli goes through all flags for each, to look
// whether it is set, and asks each for its names, which are made by a regular
// expression: 5,000 times, and 1.2 ms of each boot.
type namedFlag struct {
	cli.DocGenerationFlag
	names []string
}

func (f *namedFlag) Names() []string { return f.names }

func named(flags []cli.Flag) []cli.Flag {
	for i, f := range flags {
		if f != cli.HelpFlag { // which package cli would add again
			flags[i] = &namedFlag{f.(cli.DocGenerationFlag), f.Names()}
		}
	}
	return flags
}
