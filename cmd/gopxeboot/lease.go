package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/urfave/cli/v2"
)

// leaseFlags are a lease where there is no DHCP server, with --server and
// --bootfile.
func leaseFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "address", Usage: "ask no DHCP server: the guest's address and prefix length are `A/N`"},
		&cli.StringFlag{Name: "router", Usage: "with --address: the router's `ADDRESS`"},
	}
}

// giveLease takes the lease that --address says, if it does.
func giveLease(c *cli.Context, o *boot.Options) error {
	text := c.String("address")
	switch {
	case c.String("tree") != "": // its lease is another one
		return nil
	case text == "" && c.String("router") != "":
		return usage(errors.New("--router belongs to --address, and there is none"), "")
	case text == "":
		return nil
	case !o.Server.IsValid() && o.Repository == nil:
		return usage(errors.New("--address says that no DHCP server is asked, so --server has to name the boot file's"), "")
	}
	lease, err := leaseOf(c, *o)
	if err != nil {
		return usage(err, "")
	}
	lease.ServerID = netip.Addr{} // which is a DHCP server's
	o.Lease = lease
	return nil
}

// leaseOf is the lease that the flags describe.
func leaseOf(c *cli.Context, o boot.Options) (*dhcpclient.Lease, error) {
	lease := &dhcpclient.Lease{NextServer: o.Server, ServerID: o.Server, BootFile: o.BootFile}
	if lease.BootFile == "" {
		lease.BootFile = "pxelinux.0"
	}
	if text := c.String("address"); text != "" {
		address, err := netip.ParsePrefix(text)
		if err != nil || !guest.Usable(address.Addr()) || address.Bits() < 1 {
			return nil, fmt.Errorf("--address %q is no address of a guest's with its prefix length, such as 192.168.1.199/24", text)
		}
		lease.Address = address
	}
	if ip := c.String("ip"); ip != "" {
		address, err := addressOf("--ip", ip)
		if err != nil {
			return nil, err
		}
		mask := net.IPMask(net.ParseIP(c.String("netmask")).To4())
		ones, bits := mask.Size()
		if bits != 32 {
			return nil, fmt.Errorf("--netmask %q is none", c.String("netmask"))
		}
		lease.Address = netip.PrefixFrom(address, ones)
	}
	if router := c.String("router"); router != "" {
		address, err := addressOf("--router", router)
		if err != nil {
			return nil, err
		}
		lease.Router, lease.Routers = address, []netip.Addr{address}
	}
	for _, option := range *c.Generic("option").(*texts) {
		number, value, _ := strings.Cut(option, "=")
		code, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("--option %q: want NUMBER=VALUE", option)
		}
		switch code {
		case 6:
			if lease.DNS, err = addresses("--option 6", value); err != nil {
				return nil, err
			}
		case 209:
			lease.ConfigFile = value
		case 210:
			lease.PathPrefix = value
		case 211: // the time until a reboot decides nothing
		default:
			if c.String("tree") == "" {
				continue // what DHCP would be asked with
			}
			return nil, fmt.Errorf("--option %d: only 6, 209, 210 and 211 decide what boots", code)
		}
	}
	return lease, nil
}

// addresses reads a list with commas between.
func addresses(what, text string) (list []netip.Addr, err error) {
	for word := range strings.SplitSeq(text, ",") {
		address, err := addressOf(what, strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		list = append(list, address)
	}
	return list, nil
}

// addressOf reads an address that a person wrote.
func addressOf(what, text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s: %q is no address, such as 192.168.1.166", what, text)
	}
	return address, nil
}
