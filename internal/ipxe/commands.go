package ipxe

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// errUnknown is iPXE's "command not found".
var errUnknown = errors.New("iPXE has no such command")

// errPerson is what needs somebody at the keyboard.
var errPerson = errors.New("is for a user at the console")

// errnoOf is what ${errno} says of a failure. Builds differ in all but the first
// digits; these are a BIOS ROM's.
func errnoOf(err error) uint32 {
	switch {
	case errors.Is(err, errUnknown):
		return 0x2e022001
	case errors.Is(err, fs.ErrNotExist):
		return 0x2d12603b
	}
	return 0x3e000001
}

// exit is how a script says that it ends.
type exit struct{ code int32 }

func (e exit) Error() string { return "the script says so" }

const (
	fetchOptions = "n:name= t:timeout# a:autofree q:quiet"
	anyNumber    = -1
)

// table is all commands. Those of hardware that a guest has not fail, as they
// would there; those without which a script goes on as well succeed.
func (r *runner) table() map[string]command {
	fetch := command{options: fetchOptions, min: 1, max: anyNumber, run: r.imgfetch}
	pick := command{options: fetchOptions, min: 1, max: anyNumber, run: r.image(r.pick)}
	boot := command{options: fetchOptions + " r:replace", max: anyNumber, run: r.image(r.boot)}
	network := command{options: "c:configurator= t:timeout#", max: anyNumber, test: true, run: network}
	menu := command{options: "n:name= d:delete", max: anyNumber, run: r.menu}
	person := func(takes string) command {
		return command{options: takes, max: anyNumber, helpless: true, run: func(context.Context, options, []string) error { return errPerson }}
	}
	nothing := func(takes string) command {
		return command{options: takes, max: anyNumber, run: func(context.Context, options, []string) error { return nil }}
	}
	fails := func(why string) command {
		return command{options: "", max: anyNumber, run: func(context.Context, options, []string) error { return errors.New(why) }}
	}
	sum := command{max: anyNumber, run: func(ctx context.Context, _ options, names []string) error {
		for _, n := range names {
			if _, err := r.acquire(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}}
	c := map[string]command{
		"set": {min: 1, max: anyNumber, run: func(_ context.Context, _ options, args []string) error {
			return r.set.set(args[0], strings.Join(args[1:], " "))
		}},
		"clear": {min: 1, max: 1, run: func(_ context.Context, _ options, args []string) error { return r.set.clear(args[0]) }},
		"inc": {min: 1, max: 2, run: func(_ context.Context, _ options, args []string) error {
			by, ok := int32(1), true
			if len(args) > 1 {
				by, ok = integer(args[1])
			}
			if !ok {
				return failed("%q is no number", args[1])
			}
			return r.set.increment(args[0], by)
		}},
		"show": {min: 1, max: 1, test: true, run: func(_ context.Context, _ options, args []string) error {
			if _, ok := r.set.get(args[0]); !ok {
				return failed("%s is not set", args[0])
			}
			return nil
		}},
		"isset": {min: 1, max: 1, test: true, run: func(_ context.Context, _ options, args []string) error {
			if args[0] == "" {
				return failed("it is not set")
			}
			return nil
		}},
		"iseq": {min: 2, max: 2, test: true, run: func(_ context.Context, _ options, args []string) error {
			if args[0] != args[1] {
				return failed("%q is not %q", args[0], args[1])
			}
			return nil
		}},
		"echo":   nothing("n:n"),
		"goto":   {min: 1, max: 1, run: r.jump},
		"exit":   {max: 1, run: r.exit},
		"sleep":  {min: 1, max: 1, run: r.sleep},
		"prompt": {options: "k:key= t:timeout#", max: anyNumber, test: true, run: func(context.Context, options, []string) error { return errPerson }},
		"time":   {min: 1, max: anyNumber, run: func(ctx context.Context, _ options, args []string) error { return r.exec(ctx, args) }},

		"imgfetch": fetch, "module": fetch, "initrd": fetch,
		"kernel": pick, "imgselect": pick, "imgload": pick,
		"imgexec": boot, "boot": boot, "chain": boot,
		"imgargs":    {options: fetchOptions, min: 1, max: anyNumber, run: r.imgargs},
		"imgfree":    {max: anyNumber, run: r.imgfree},
		"imgextract": {options: "n:name= k:keep t:timeout#", min: 1, max: 1, run: r.imgextract},
		"imgstat": {max: anyNumber, test: true, run: func(_ context.Context, _ options, names []string) error {
			for _, n := range names {
				if r.find(n) == nil {
					return failed("no image is called %s", n)
				}
			}
			return nil
		}},
		"imgverify": {options: "s:signer= k:keep t:timeout#", min: 2, max: 2, run: r.verify},
		"imgtrust":  {options: "a:allow p:permanent", max: 0, run: r.trust},

		"menu": menu, "form": menu,
		"item":   {options: "m:menu= k:key= d:default g:gap", max: anyNumber, run: r.item},
		"choose": {options: "m:menu= d:default= t:timeout# r:retimeout# k:keep", min: 1, max: 1, run: r.chooseItem},

		"dhcp": network, "ifconf": network, "ifopen": network, "ifclose": network, "ifstat": network, "route": network, "iflinkwait": network,
		"sanboot":  {options: "d:drive# n:no-describe k:keep f:filename= e:extra= l:label= u:uuid=", max: anyNumber, run: r.sanboot},
		"cpuid":    {options: "e:ext a:amd c:ecx", min: 1, max: 1, test: true, run: cpuid},
		"params":   {options: "n:name= m:method= d:delete", max: 0, run: r.params},
		"param":    {options: "p:params= h:header", min: 1, max: anyNumber, run: r.param},
		"autoboot": {max: anyNumber, run: r.autoboot},

		"nslookup": {min: 2, max: 2, run: r.nslookup},
		"md5sum":   sum, "sha1sum": sum, "sha256sum": sum, "sha512sum": sum,
		"read": person("t:timeout#"), "login": person(""), "present": person(""), "shell": person(""), "config": person(""),
		"ntp": nothing(""), "sync": nothing("t:timeout#"), "console": nothing("x:x= y:y= p:picture= l:left= r:right= t:top= b:bottom= d:depth= k:keep"),
		"colour": nothing("b:basic= r:rgb="), "cpair": nothing("f:foreground= b:background="), "shim": nothing("t:timeout#"),
		"certstat": nothing("s:subject="), "certstore": nothing("s:subject= k:keep"), "certfree": nothing("s:subject="), "help": nothing(""),
		"reboot":   {options: "w:warm", max: 0, helpless: true, run: r.refuse("the script asks for a reboot")},
		"poweroff": {max: 0, helpless: true, run: r.refuse("the script asks to turn the machine off")},
	}
	for _, name := range []string{"fdt", "imgdecrypt", "imgset", "imgmem", "vcreate", "vdestroy", "pciscan", "usbscan", "ping",
		"sanhook", "sanunhook", "pxebs", "startpxe", "stoppxe", "fcstat", "fcels", "ibstat", "iwlist", "iwstat", "gdbstub", "nstat", "ipstat", "lotest", "profstat"} {
		c[name] = fails("can't be done for a guest without firmware")
	}
	return c
}

// refuse is a command that a guest's boot ends at.
func (r *runner) refuse(why string) func(context.Context, options, []string) error {
	return func(context.Context, options, []string) error {
		r.fatal = r.current.error(errors.New(why), r.before)
		return r.fatal
	}
}

func (r *runner) jump(_ context.Context, _ options, args []string) error {
	at, ok := r.current.labels[args[0]]
	if !ok {
		return failed("no label is called %q", args[0])
	}
	r.current.at, r.current.jumped = at, true
	return nil
}

func (r *runner) exit(_ context.Context, _ options, args []string) error {
	var code int32
	if len(args) > 0 {
		var ok bool
		if code, ok = integer(args[0]); !ok {
			return failed("%q is no number", args[0])
		}
	}
	r.current.stop, r.exited = true, true
	if code != 0 {
		return exit{code}
	}
	return nil
}

// sleep waits where the script has had no file since it last slept: it tries again,
// and gives the server time. Otherwise it is for who reads the screen.
func (r *runner) sleep(ctx context.Context, _ options, args []string) error {
	seconds, ok := integer(args[0])
	if !ok {
		return failed("%q is no number of seconds", args[0])
	}
	if r.waited || r.env.Sleep == nil || seconds <= 0 {
		return nil
	}
	r.waited = true
	return r.env.Sleep(ctx, time.Duration(seconds)*time.Second)
}

// imgfetch always downloads.
func (r *runner) imgfetch(ctx context.Context, o options, args []string) error {
	i, err := r.fetch(ctx, r.cwuri().resolve(args[0]))
	if err != nil {
		return err
	}
	i.take(o, args[1:])
	return nil
}

// take is what options and arguments say of an image.
func (i *image) take(o options, args []string) {
	if o.has("name") {
		i.name = o["name"]
	}
	if len(args) > 0 {
		i.args = strings.Join(args, " ")
	}
	i.autofree = i.autofree || o.has("autofree")
}

// image makes a command of what is done with one image: the one named, or the
// one that was selected before (imgsingle_exec).
func (r *runner) image(do func(context.Context, options, *image) error) func(context.Context, options, []string) error {
	return func(ctx context.Context, o options, args []string) error {
		i := r.selected
		if len(args) > 0 {
			var err error
			if i, err = r.acquire(ctx, args[0]); err != nil {
				return err
			}
			i.take(o, args[1:])
		}
		if i == nil {
			return nil // "No image selected", and success
		}
		return do(ctx, o, i)
	}
}

// pick makes an image the one that boots.
func (r *runner) pick(_ context.Context, _ options, i *image) error {
	i.picked = true
	return r.choose(i)
}

// boot runs an image, in the place of the script with --replace.
func (r *runner) boot(ctx context.Context, o options, i *image) error {
	if !o.has("replace") {
		return r.execute(ctx, i)
	}
	if i.kind == isEmpty || i.kind == isEFI {
		return failed("%s %s", i.name, i.kind.says())
	}
	r.current.instead, r.current.stop = i, true
	return nil
}

// imgargs clears an image's arguments, then sets them.
func (r *runner) imgargs(ctx context.Context, o options, args []string) error {
	i, err := r.acquire(ctx, args[0])
	if err != nil {
		return err
	}
	i.args = ""
	i.take(o, args[1:])
	return nil
}

func (r *runner) imgfree(_ context.Context, _ options, names []string) error {
	if len(names) == 0 {
		r.images, r.selected = nil, nil
	}
	for _, n := range names {
		i := r.find(n)
		if i == nil {
			return failed("no image is called %s", n)
		}
		r.unregister(i)
	}
	return nil
}

// imgextract makes an image of what another one has packed by gzip, in its place
// (usr/imgarchive.c).
func (r *runner) imgextract(ctx context.Context, o options, args []string) error {
	i, err := r.acquire(ctx, args[0])
	if err != nil {
		return err
	}
	head, err := unpackHead(i.head)
	if err != nil || i.gunzip {
		return failed("%s is not packed by gzip", i.name)
	}
	name := i.name
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		name = name[:at]
	}
	if o.has("name") {
		name = o["name"]
	}
	unpacked := &image{name: name, uri: i.uri, head: head, kind: formatOf(head), gunzip: true, posted: i.posted}
	if unpacked.kind == isScript {
		unpacked.kind = isOther // of which there is the head only
	}
	if !o.has("keep") {
		r.unregister(i)
	}
	r.images = append(r.images, unpacked)
	return nil
}

// errUnverified is why nothing is trusted: CMS signatures are not read.
var errUnverified = errors.New("signatures of iPXE's are not verified; --key, --sums or --sha256 verify what boots")

// verify never succeeds unchecked.
func (r *runner) verify(ctx context.Context, _ options, args []string) error {
	i, err := r.acquire(ctx, args[0])
	if err != nil {
		return err
	}
	return r.trusted(i)
}

// trusted says why an image is not verified by the caller.
func (r *runner) trusted(i *image) error {
	switch {
	case r.env.Verified == nil:
		return errUnverified
	case !r.env.Verified(i.uri.url()):
		return failed("%s is neither listed nor signed", i.uri.url())
	}
	return nil
}

// trust demands that what runs from now on is verified; --allow ends that, unless
// it was --permanent.
func (r *runner) trust(_ context.Context, o options, _ []string) error {
	demands := !o.has("allow")
	switch {
	case r.permanent && demands != r.demands:
		return failed("it has been permanent before")
	case demands && r.env.Verified == nil:
		return errUnverified
	}
	r.demands, r.permanent = demands, r.permanent || o.has("permanent")
	return nil
}

// nslookup sets a setting to the address of a name.
func (r *runner) nslookup(ctx context.Context, _ options, args []string) error {
	n, ok := parseName(args[0])
	switch {
	case !ok:
		return failed("no type %q", n.kind)
	case r.env.Lookup == nil:
		return failed("no name is looked up here")
	}
	address, err := r.env.Lookup(ctx, args[1])
	if err != nil {
		return err
	}
	n.kind = cmp.Or(n.kind, kindIPv4)
	return r.set.store(n, address.AsSlice())
}

// network is what has been done before the script runs, for the one card there is.
func network(_ context.Context, _ options, cards []string) error {
	for _, c := range cards {
		if c == "net0" || c == "netX" {
			return nil
		}
	}
	if len(cards) > 0 {
		return failed("there is no %s", strings.Join(cards, " "))
	}
	return nil
}

// sanboot is the guest's own disk; what would come by the network needs firmware.
func (r *runner) sanboot(_ context.Context, o options, uris []string) error {
	drive, _ := integer(o["drive"])
	switch {
	case len(uris) > 0:
		return failed("%s is a disk on the network, which a guest without firmware can't boot from", uris[0])
	case o.has("drive") && drive != 0x80:
		return failed("there is no disk %s", o["drive"])
	}
	r.result.Outcome, r.booted = LocalBoot, true
	return nil
}

// cpuid answers for what every x86-64 processor has.
func cpuid(_ context.Context, o options, args []string) error {
	bit, ok := integer(args[0])
	const basic, extended = 1<<0 | 1<<4 | 1<<5 | 1<<6 | 1<<8 | 1<<15 | 1<<19 | 1<<23 | 1<<24 | 1<<25 | 1<<26, 1<<11 | 1<<20 | 1<<29
	bits := uint32(basic)
	if o.has("ext") || o.has("amd") {
		bits = extended
	}
	if !ok || o.has("ecx") || bits>>(bit&31)&1 == 0 { // as the processor shifts
		return failed("the processor may not have that")
	}
	return nil
}

func (r *runner) params(_ context.Context, o options, _ []string) error {
	if o.has("delete") {
		delete(r.forms, o["name"])
		return nil
	}
	if m, ok := o["method"]; ok && m != "POST" {
		return failed("params are sent by POST, and not by %s", m)
	}
	if len(r.forms) >= maxItems {
		return tooMuch("more than %d lists of parameters", maxItems)
	}
	r.forms[o["name"]] = nil
	return nil
}

func (r *runner) param(_ context.Context, o options, args []string) error {
	form, ok := r.forms[o["params"]]
	switch {
	case !ok:
		return failed("no list of parameters to add to")
	case len(form) >= maxItems:
		return tooMuch("more than %d parameters", maxItems)
	case o.has("header"):
		return failed("a header of params is not sent")
	}
	r.forms[o["params"]] = append(form, percent.Escape(args[0], inURI)+"="+percent.Escape(strings.Join(args[1:], " "), inURI))
	return nil
}

// autoboot runs the boot file that DHCP named, unless that is what runs.
func (r *runner) autoboot(ctx context.Context, _ options, _ []string) error {
	file, _ := r.set.get("filename")
	server, _ := r.set.get("next-server")
	address, _ := netip.ParseAddr(server)
	u := parseURI(FileURL(address, file))
	if file == "" || r.current != nil && u.url() == r.current.url {
		return failed("DHCP names nothing else to boot")
	}
	i, err := r.fetch(ctx, u)
	if err != nil {
		return err
	}
	i.autofree = true
	return r.execute(ctx, i)
}
