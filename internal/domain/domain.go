package domain

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Info is what is known of the guest that is being created.
type Info struct {
	Name   string           // "" when not known
	UUID   string           // in lower case; "" when not known
	Type   xenout.GuestType // "" when not known
	VIFs   []xenout.VIF     // as the toolstack orders them; the one that was asked for has a MAC, a bridge may be ""
	Source string           // what said so: /etc/xen/guest1.cfg, or virsh dumpxml <uuid>
	XAPI   bool             // it is a VM of XAPI's, whose name its administrators may change
}

// An UnknownError says why nothing told the guest's MAC address.
type UnknownError struct {
	Guest   string   // its name or uuid; "" when not even that is known
	Reasons []string // what was tried and what came of it, in order
	Add     string   // the line of configuration that would tell; "" when the reason says it
}

func (e *UnknownError) Error() string {
	guest := "the guest"
	if e.Guest != "" {
		guest = fmt.Sprintf("guest %q", e.Guest)
	}
	text := fmt.Sprintf("the MAC address of %s is not known: %s", guest, strings.Join(e.Reasons, "; "))
	if e.Add != "" {
		text += "; add " + e.Add
	}
	return printable.Text(text) // files are called after guests, and those have any name
}

// conclusive is the error of a place that surely is about the guest, but does
// not tell its MAC address. No other place could know better.
type conclusive struct{ reason string }

func (e *conclusive) Error() string { return e.reason }

// A lookup looks for the guest's interfaces in one place, of which the wanted
// one, counted from 0, has to be there. It completes what it is given.
type lookup func(ctx context.Context, guest Info, wanted int) (Info, error)

// Find returns the guest's name, uuid and interfaces. Its error is an
// *UnknownError, unless ctx is over; what is known of name and uuid by then is
// returned also with an error, because PXELINUX has a file name for the uuid.
func (h *Host) Find(ctx context.Context, inv xenout.Call) (Info, error) {
	parent := h.parent()
	guest, err := h.identify(ctx, inv, parent)
	guest.XAPI = inv.Toolstack == xenout.XAPI || inv.VM != ""
	unknown := &UnknownError{Guest: guest.Name, Add: lineToAdd(inv, parent, guest)}
	unknown.Guest = cmp.Or(unknown.Guest, guest.UUID)
	if err != nil {
		unknown.Reasons = []string{err.Error()}
		return guest, overOr(ctx, unknown)
	}
	return h.ask(ctx, guest, inv.Interface, unknown, h.lookups(inv, parent)...)
}

// ask looks in one place after the other. Its error is unknown, completed.
func (h *Host) ask(ctx context.Context, guest Info, wanted int, unknown *UnknownError, places ...lookup) (Info, error) {
	for _, look := range places {
		found, err := look(ctx, guest, wanted)
		if err == nil {
			return found, nil
		}
		if _, ok := errors.AsType[*conclusive](err); ok {
			unknown.Reasons, unknown.Add = []string{err.Error()}, ""
			break
		}
		unknown.Reasons = append(unknown.Reasons, err.Error())
		if ctx.Err() != nil {
			break
		}
	}
	return guest, overOr(ctx, unknown)
}

// Identity returns only the guest's name, uuid and type, for which it asks xenstore
// and reads at most the file that "xl create" was given. It is cheap enough
// for when the MAC address is known.
func (h *Host) Identity(ctx context.Context, inv xenout.Call) (Info, error) {
	guest, err := h.identify(ctx, inv, h.parent())
	if err != nil {
		return guest, overOr(ctx, fmt.Errorf("the guest's name and uuid are not known: %w", err))
	}
	return guest, nil
}

// Lasting is what stays the same of a guest from one start to the next: its
// uuid, or where that is "" its name. xl makes a new uuid at each start, and so
// does libvirt for a guest that it has no file of.
func (h *Host) Lasting(ctx context.Context, inv xenout.Call) (uuid, name string, err error) {
	parent := h.parent()
	guest, err := h.identify(ctx, inv, parent)
	switch {
	case err != nil:
		return "", "", overOr(ctx, fmt.Errorf("the guest's name and uuid are not known: %w", err))
	case inv.Toolstack == xenout.XAPI && guest.UUID != "":
		return guest.UUID, "", nil
	case parent.isXL() && guest.Name != "":
		return "", guest.Name, nil
	case parent.isLibvirt() && guest.UUID != "":
		var d libvirtDomain
		_, text, err := h.libvirtFile(guest.Name)
		if err == nil {
			err = xml.Unmarshal([]byte(text), &d)
		}
		if err == nil && strings.ToLower(d.UUID) != guest.UUID {
			err = fmt.Errorf("it is for uuid %s", d.UUID)
		}
		if err != nil {
			return "", "", fmt.Errorf("libvirt may give guest %q another uuid at its next start, as it was not defined (virsh define): %w", guest.Name, err)
		}
		return guest.UUID, "", nil
	}
	return "", "", errors.New("no toolstack says what stays the same of the guest from one start to the next")
}

// overOr is err, unless the end of ctx was the reason for it.
func overOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("looking for the guest's interface: %w", context.Cause(ctx))
	}
	return err
}

// identify returns an error only when neither name nor uuid is known.
func (h *Host) identify(ctx context.Context, inv xenout.Call, parent process) (Info, error) {
	if inv.VM != "" {
		if !IsUUID(inv.VM) {
			return Info{}, fmt.Errorf("--vm %q is not a uuid", inv.VM)
		}
		uuid := strings.ToLower(inv.VM)
		return Info{UUID: uuid, Type: h.xapiType(ctx, uuid), Source: "--vm"}, nil
	}
	guest, err := h.fromXenstore(ctx, h.Domid(inv))
	if err == nil && inv.Toolstack == xenout.XAPI && guest.UUID != "" {
		guest.Type = h.xapiType(ctx, guest.UUID)
	}
	if err == nil && (guest.Type != xenout.PVH || !parent.isXL()) {
		return guest, nil
	}
	if !parent.isXL() {
		return Info{}, err
	}
	file, cfg, cfgErr := h.created(parent)
	if err == nil {
		if cfgErr == nil && guest.mustBe(cfg.text("name"), cfg.uuid()) == nil {
			guest.Type = cfg.typeOr(guest.Type)
		}
		return guest, nil
	}
	if cfgErr != nil {
		return Info{}, fmt.Errorf("%w; %w", err, cfgErr)
	}
	guest = Info{Name: cfg.text("name"), UUID: cfg.uuid(), Type: cfg.typeOr(""), Source: file}
	if guest.Name == "" && guest.UUID == "" {
		return guest, fmt.Errorf("%w; %s has no name=", err, file)
	}
	return guest, nil
}

// lookups are the places to ask for the interfaces, best first. A toolstack
// is not asked about the guest of another one: what it knows of a guest with
// that name may be left from before the guest moved.
func (h *Host) lookups(inv xenout.Call, parent process) []lookup {
	switch {
	case inv.Toolstack == xenout.XAPI, inv.VM != "":
		return []lookup{h.fromXAPI}
	case parent.isXL():
		return []lookup{h.fromXL(parent), h.fromEtcXen}
	case parent.isLibvirt():
		return []lookup{h.fromVirsh, h.fromLibvirtFile}
	}
	return []lookup{h.fromEtcXen, h.fromVirsh, h.fromLibvirtFile}
}

// lineToAdd is what makes all this looking unnecessary.
func lineToAdd(inv xenout.Call, parent process, guest Info) string {
	const vif = "mac=00:16:3e:XX:XX:XX,bridge=xenbr0"
	switch {
	case inv.Toolstack == xenout.XAPI && guest.UUID == "":
		return "eliloader=/usr/bin/gopxeboot to /etc/xenopsd.conf, and set the VM's PV-bootloader to eliloader: XAPI says there which VM it is"
	case inv.Toolstack == xenout.XAPI, inv.VM != "":
		return "" // XAPI knows it, and its administrators can't say it: see xenout.XAPIOptions
	case parent.isLibvirt():
		return fmt.Sprintf("to the guest's XML, after <bootloader>: <bootloader_args>%s</bootloader_args>", vif)
	}
	return fmt.Sprintf("to the guest's configuration: bootloader_args = [ %q ]", vif)
}

var uuidText = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// IsUUID says whether s is a uuid as toolstacks write it.
func IsUUID(s string) bool { return uuidText.MatchString(s) }
