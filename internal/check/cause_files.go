package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

func noDefault(f *Facts) *finding {
	b := f.Boot
	if b == nil || f.Config == nil || b.Outcome != pxelinux.Prompt || f.Config.Default != "" {
		return nil
	}
	name := base(f.Config.URL)
	for code, how := range map[pxelinux.Code]string{
		pxelinux.UTF16:         fmt.Sprintf("iconv -f UTF-16 -t UTF-8 %s > new && cat new > %[1]s", name),
		pxelinux.ByteOrderMark: `sed -i '1s/^\xef\xbb\xbf//' ` + name,
	} {
		for _, l := range f.Config.Findings {
			if l.Code == code {
				return broken("PXELINUX can't read how the configuration is encoded.", l.String()+unread(f.Config), "save it as plain ASCII or UTF-8, without a byte order mark: "+how)
			}
		}
	}
	hint := "add DEFAULT with the label that is to boot"
	if labels := f.Config.Labels; len(labels) > 0 {
		hint = fmt.Sprintf("add a line DEFAULT %s to it, or say --label %s in bootloader_args", labels[0], labels[0])
	}
	return broken("The configuration does not say what to boot: it has neither DEFAULT nor UI.", fmt.Sprintf("%s has %s", f.Config.URL, labelList(f.Config.Labels))+unread(f.Config), hint)
}

// unread is what of a configuration was passed over, and may have said what is
// missed: a file that it includes, or a line behind a byte order mark.
func unread(c *plan.Config) string {
	for _, f := range c.Findings {
		if slices.Contains([]pxelinux.Code{pxelinux.IncludeMissing, pxelinux.UnknownDirective, pxelinux.NoConfiguration}, f.Code) {
			return "; " + f.String()
		}
	}
	return ""
}

// short is the first few of a list.
func short(words []string) []string {
	const most = 8
	if len(words) > most {
		return append(slices.Clone(words[:most]), "...")
	}
	return words
}

// labelMissing: PXELINUX takes a DEFAULT that is no label for a file's name.
func labelMissing(f *Facts) *finding {
	b, c := f.Boot, f.Config
	if b == nil || c == nil {
		return nil
	}
	evidence := fmt.Sprintf("%s has %s", c.URL, labelList(c.Labels)) + unread(c)
	if b.Named != "" && b.Label == "" && !slices.Contains(c.Labels, b.Named) {
		hint := "upper and lower case matter; correct --label"
		if l := firstOf(c.Labels, func(l string) bool { return strings.EqualFold(l, b.Named) }); l != nil {
			hint = fmt.Sprintf("upper and lower case matter: --label %s", *l)
		}
		return broken(fmt.Sprintf("There is no label %s.", b.Named), evidence, hint)
	}
	name, _, _ := strings.Cut(c.Default, " ")
	if name == "" || b.Label != "" || b.Named != "" || slices.Contains(c.Labels, name) {
		return nil
	}
	file := f.file("kernel")
	notThere := file != nil && (file.Result == plan.NotFound || file.Result == plan.Empty)
	if b.Outcome != pxelinux.Error && !notThere {
		return nil
	}
	if b.Outcome == pxelinux.Error && strings.HasSuffix(name, ".c32") && len(c.Labels) == 0 {
		hint := "add a label to it, or name another configuration"
		if slices.ContainsFunc(c.Findings, func(l plan.Finding) bool { return l.Code == pxelinux.IncludeMissing }) {
			hint = "put the file there that INCLUDE names, which may have the labels"
		}
		return broken("The menu has no labels.", evidence, hint)
	}
	if notThere && strings.HasSuffix(name, ".c32") && base(file.URL) != base(name) { // a menu, which took another command
		return broken(fmt.Sprintf("ONTIMEOUT names %s, and there is no such label.", base(file.URL)), evidence+", and there is no file "+file.URL+" either",
			"upper and lower case matter; correct ONTIMEOUT, or add the label").at("kernel")
	}
	if c.DefaultAt != "" && !strings.HasPrefix(c.DefaultAt, c.URL+":") {
		evidence += ", DEFAULT stands in " + c.DefaultAt
	}
	if notThere {
		evidence += ", and there is no file " + file.URL + " either"
	}
	hint := "upper and lower case matter; correct DEFAULT, or add the label"
	if l := firstOf(c.Findings, func(l plan.Finding) bool { return l.Code == pxelinux.DefaultNoLabel && l.Fix != "" }); l != nil {
		hint = write(*l)
	} else if slices.ContainsFunc(c.Findings, func(l plan.Finding) bool { return l.Code == pxelinux.IncludeMissing }) {
		hint = "put the file there that INCLUDE names, which may have the label, or correct DEFAULT"
	}
	d := broken(fmt.Sprintf("DEFAULT names %s, and there is no such label.", name), evidence, hint)
	if b.Outcome != pxelinux.Error {
		return d.at("kernel")
	}
	return d
}

// write is the hint to put a line right.
func write(l plan.Finding) string { return fmt.Sprintf("write in %s:%d: %s", l.File, l.Line, l.Fix) }

// misread is lint's finding on a line by which PXELINUX asks for another file than
// the writer meant; nil for none. Where there are more labels it may be in
// another one than boots.
func (f *Facts) misread(role string) *plan.Finding {
	if f.Config == nil || len(f.Config.Labels) != 1 || f.givenBy(role) != "" {
		return nil
	}
	codes := []pxelinux.Code{pxelinux.KernelWords, pxelinux.EqualsSign, pxelinux.KernelBackslash, pxelinux.ImpliedKernel}
	if role == "initrd" {
		codes = []pxelinux.Code{pxelinux.InitrdEmpty, pxelinux.InitrdWords, pxelinux.InitrdBackslash}
	}
	for _, code := range codes { // a label names no kernel because of a line that is passed over
		if l := firstOf(f.Config.Findings, func(l plan.Finding) bool { return l.Code == code }); l != nil {
			return l
		}
	}
	return nil
}

// named lets a finding on a file that is not to be had say which line leads there.
func (f *Facts) named(role string, d *finding) *finding {
	l := f.misread(role)
	if l == nil {
		return d
	}
	d.summary = fmt.Sprintf("The configuration asks for another %s than is meant.", role)
	if l.Code == pxelinux.InitrdEmpty {
		d.summary = "The configuration asks for an initrd without a name."
	}
	d.evidence += "; " + l.String()
	if d.hint = "write the name without spaces, and rename the directory or the file where it has some"; l.Fix != "" {
		d.hint = write(*l)
	}
	if l.Code == pxelinux.ImpliedKernel {
		d.hint = "add a line KERNEL with the kernel's name to that label"
	}
	if l.Code == pxelinux.KernelBackslash || l.Code == pxelinux.InitrdBackslash { // the server may know better
		d.hint += ", and see that the file is there"
	}
	return d
}

func labelList(labels []string) string {
	if len(labels) == 0 {
		return "no label"
	}
	if len(labels) == 1 {
		return "the label " + labels[0]
	}
	return "the labels " + list(short(labels))
}

func com32Only(f *Facts) *finding {
	b := f.Boot
	if b == nil || b.Outcome != pxelinux.COM32 {
		return nil
	}
	return broken("What boots is a COM32 module, which only PXELINUX itself can run.", plan.LabelText(b.Label)+b.Kernel+because(b.Error),
		"add a label with KERNEL and INITRD for this guest, and name it with DEFAULT or --label"+labelHint(f))
}

func labelHint(f *Facts) string {
	if f.Config == nil || len(f.Config.Labels) < 2 {
		return ""
	}
	return "; there are " + labelList(f.Config.Labels)
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func bootProgram(f *Facts) *finding {
	b := f.Boot
	if b == nil || b.Outcome != pxelinux.ChainBoot {
		return nil
	}
	return broken("What boots is another boot program, which a guest without firmware can't run.", plan.LabelText(b.Label)+b.Kernel,
		"add a label with KERNEL and INITRD for this guest, and name it with DEFAULT or --label; if that file is a kernel, LINUX instead of KERNEL says so"+labelHint(f))
}

func notBootable(f *Facts) *finding {
	b := f.Boot
	if b == nil || b.Outcome == pxelinux.LocalBoot || b.Error == "" && b.Outcome != pxelinux.Error && b.Kernel != "" {
		return nil
	}
	if b.Outcome == pxelinux.COM32 || b.Outcome == pxelinux.ChainBoot {
		return nil
	}
	hint := "see DEFAULT and its label"
	if b.Outcome == pxelinux.Prompt {
		hint = "say MENU DEFAULT in the label of this guest, with KERNEL and INITRD, or name it with --label"
	} else if b.Label != "" {
		hint = fmt.Sprintf("correct label %s in %s, or name another one with DEFAULT or --label", b.Label, f.configName())
	}
	switch b.Program {
	case plan.GRUB:
		hint = "correct that line, or name another entry with default or --label"
	case plan.IPXE:
		hint = "correct that line, or put what it asks for on the server"
		if f.Config != nil && strings.HasPrefix(b.Error, f.Config.URL+" ") { // it is no script
			hint = "have DHCP name a script to iPXE (user class iPXE), or put a configuration of PXELINUX beside it"
		}
		return broken("iPXE's script boots nothing that a guest can boot.", b.Error, hint)
	}
	return broken("The configuration boots nothing that a guest can boot.", plan.LabelText(b.Label)+cmp.Or(b.Error, "none"), hint+labelHint(f))
}

func waitsForever(f *Facts) *finding {
	b := f.Boot
	if b == nil || !b.Waits || b.Kernel == "" {
		return nil
	}
	why := "there is no TIMEOUT above 0"
	switch b.Program {
	case plan.GRUB:
		why = "timeout is not set, or is no number"
	case plan.IPXE:
		why = "choose has no --timeout"
	}
	return note("a real machine would wait at the prompt or the menu for a key, as " + why + "; this guest boots the highlighted entry at once")
}

func configProblems(f *Facts) *finding {
	var problems []string
	if f.Config != nil {
		for _, p := range f.Config.Findings {
			if p.Severity != pxelinux.SeverityNote && p.Code != pxelinux.IncludeMissing {
				problems = append(problems, p.String())
			}
		}
	}
	if f.Boot != nil {
		problems = append(problems, f.Boot.Warnings...)
	}
	if len(problems) == 0 {
		return nil
	}
	const most = 3
	d := warning(fmt.Sprintf("The configuration has %s.", console.Count(len(problems), "problem")), strings.Join(problems[:min(len(problems), most)], "; "),
		"see these lines of "+f.Config.URL)
	if n := len(problems) - most; n > 0 {
		d.evidence += fmt.Sprintf("; and %d more", n)
		d.hint = "gopxeboot lint, on the server, shows them all"
	}
	return d
}

// includeMissing does no harm by itself: distributions' trees include what a
// site may add.
func includeMissing(f *Facts) *finding {
	if f.Config == nil {
		return nil
	}
	var lines []string
	for _, p := range f.Config.Findings {
		if p.Code == pxelinux.IncludeMissing {
			lines = append(lines, p.String())
		}
	}
	switch len(lines) {
	case 0:
		return nil
	case 1:
		return note("an INCLUDE names a file that is missing, as PXELINUX allows", lines...)
	}
	return note(fmt.Sprintf("%d INCLUDEs name files that are missing, as PXELINUX allows", len(lines)), lines...)
}

// file is the first of that role; nil for none.
func (f *Facts) file(role string) *File {
	return firstOf(f.Files, func(file File) bool { return file.Role == role })
}

// with is the first file of that role with one of the results.
func (f *Facts) with(role string, results ...plan.Result) *File {
	return firstOf(f.Files, func(file File) bool { return file.Role == role && slices.Contains(results, file.Result) })
}

// tftpLargeBlocks: what is larger than the MTU of a link on the way, and may
// not be cut into fragments or loses one, never arrives.
func tftpLargeBlocks(f *Facts) *finding {
	files := f.downloads()
	// What did not come at all is worse than what came in small blocks.
	came := func(file File) bool { return file.Result == plan.Found }
	files = append(slices.DeleteFunc(slices.Clone(files), came), slices.DeleteFunc(files, func(file File) bool { return !came(file) })...)
	for _, file := range files {
		lost, arrives := lostSize(file.Blocks)
		if lost == 0 {
			continue
		}
		d := broken("Large TFTP blocks get lost on the way.", fmt.Sprintf("of %s, blocks of %d bytes do not arrive%s, those of %d do", file.URL, lost, noneOf(file.Blocks, lost), arrives),
			fmt.Sprintf("find the link with the smaller MTU (tunnel, VLAN, VPN) or the firewall that drops fragments, or limit the server: tftpd-hpa --blocksize %d, dnsmasq tftp-mtu=%d", arrives, arrives+32))
		if least := 1408; file.Result == plan.Found && arrives >= least { // PXELINUX's own blocks arrive
			return note(fmt.Sprintf("TFTP blocks of %d bytes do not arrive, those of %d do: ROMs that ask for larger ones may fail", lost, arrives))
		}
		if file.Result == plan.Found {
			d.status = Warn
			d.summary = "Large TFTP blocks get lost on the way: downloads go slowly with small ones, and other ROMs fail."
			// Another file of that server may have had no time left.
			stopped := func(o File) bool {
				return o.Result == plan.Silent && o.Reason == "" && hostOf(o.URL) == hostOf(file.URL)
			}
			if slow := tooSlow(f); slices.ContainsFunc(files, stopped) || slow != nil && slow.status == Fail {
				d.status = Fail
			}
		}
		return d.at(file.Role)
	}
	return nil
}

// downloads are the files that were asked for, those of the configuration first.
func (f *Facts) downloads() (files []File) {
	for _, t := range f.Searched() {
		files = append(files, fileOf("config", t))
	}
	return append(files, f.Files...)
}

// fileOf is a file by what came of asking for it.
func fileOf(role string, t plan.Try) File {
	return File{Role: role, URL: t.URL, At: t.At, Result: t.Result, Reason: t.Reason, Bytes: -1, Message: t.Message, Rejected: t.Rejected, Blocks: t.Blocks, There: t.There}
}

// lostSize is the smallest TFTP block size of which none arrived, and the largest of
// which one did; 0 where it is not the size that matters.
func lostSize(blocks []plan.Block) (lost, arrives int) {
	for _, b := range blocks {
		if b.Arrives {
			arrives = max(arrives, b.Size)
		} else if lost == 0 || b.Size < lost {
			lost = b.Size
		}
	}
	if arrives == 0 || arrives > lost {
		return 0, 0
	}
	return lost, arrives
}

// noneOf says how often blocks of that size were asked for.
func noneOf(blocks []plan.Block, size int) string {
	i := slices.IndexFunc(blocks, func(b plan.Block) bool { return b.Size == size })
	if i < 0 || blocks[i].Asked == 0 {
		return ""
	}
	return fmt.Sprintf(" (none of %d)", blocks[i].Asked)
}

func missing(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		file := f.with(role, plan.NotFound)
		if file == nil {
			return nil
		}
		misspelt := f.misspelt(file)
		d := broken(fmt.Sprintf("The %s is not there.", role), file.URL+because(file.Message), cmp.Or(misspelt, fileHint(f, role)))
		if t := file.There; t != nil && misspelt == "" {
			d.evidence += fmt.Sprintf("; %s is", t.URL)
			d.hint = fmt.Sprintf("write %s in its place in %s, if %s is meant; or put the file there", t.Name, f.configName(), t.URL)
		}
		if f.Boot != nil && f.Boot.Instead != "" {
			d.status = Warn
			d.summary = fmt.Sprintf("The %s is not there, and so %s boots.", role, f.Boot.Instead)
		}
		return f.named(role, d)
	}
}

// misspelt is what to write in the place of a name that can't be meant; "" for others.
func (f *Facts) misspelt(file *File) string {
	if f.givenBy(file.Role) != "" {
		return ""
	}
	_, path, _ := strings.Cut(file.URL, "://")
	for _, scheme := range []string{"http:/", "https:/", "ftp:/", "tftp:/"} {
		if _, rest, ok := strings.Cut(path, "/"+scheme); ok {
			return fmt.Sprintf("write the URL with two slashes in %s: %s/%s", f.configName(), scheme, rest)
		}
	}
	if file.Role == "initrd" && strings.HasSuffix(path, "/") {
		return fmt.Sprintf("correct the line in %s: an = or a comma has no name behind it; names stand without spaces, as in initrd=a,b", f.configName())
	}
	return ""
}

// fileHint tells the rule that most people get wrong.
func fileHint(f *Facts, role string) string {
	hint := "put it there, or correct " + f.namedBy(role)
	switch {
	case f.givenBy(role) != "":
		return hint
	case f.Boot != nil && f.Boot.Program == plan.IPXE:
		return hint + "; names are relative to the script's directory, and those that begin with / to the server's"
	case f.Boot != nil && f.Boot.Program == plan.GRUB:
		return hint + "; names begin at the server's root directory"
	}
	return hint + "; names are relative to the boot file's directory, also those that begin with /"
}

// givenBy is the option that names a file in the place of the configuration's; "" for
// none.
func (f *Facts) givenBy(role string) string {
	switch {
	case role == "kernel" && f.Subject.Kernel != "":
		return "--kernel"
	case role == "initrd" && f.Subject.Ramdisk != "":
		return "--ramdisk"
	}
	return ""
}

// namedBy is what names a file, for a hint.
func (f *Facts) namedBy(role string) string {
	return cmp.Or(f.givenBy(role), "its name in "+f.configName())
}

// configName is the configuration's, for a hint.
func (f *Facts) configName() string {
	if f.Config == nil {
		return "the configuration"
	}
	return f.Config.URL
}

func refused(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		file := f.with(role, plan.Refused)
		if file == nil {
			return nil
		}
		hint := refusalHint(file.URL, file.Message)
		if other := f.misspelt(file); other != "" {
			hint = other
		} else if web := Hint(file.Reason, cmp.Or(file.At, file.URL)); web != "" {
			hint = web
		} else if strings.HasPrefix(file.URL, "http") {
			hint = "see the web server's log, its rules for that file (allow, deny), and whether it may read it (chmod a+r, and a+x for the directories)"
		}
		return f.named(role, broken(fmt.Sprintf("The server refuses to give the %s.", role), file.URL+because(file.Message), hint))
	}
}

func unreachable(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		file := f.with(role, plan.Silent, plan.Unreachable, plan.Failed)
		if file == nil {
			return nil
		}
		at := cmp.Or(file.At, file.URL)
		hint := Hint(file.Reason, at)
		if hint == "" && !f.Lease.Router.IsValid() && f.Subject.Net != "dom0" && strings.HasSuffix(file.Message, "network is unreachable") {
			hint = fmt.Sprintf("name the router of the guest's network in DHCP (option 3): %s is not in %s", hostOf(at), f.Lease.Address.Masked())
		}
		if hint == "" && strings.HasPrefix(file.URL, "tftp:") && file.Result == plan.Unreachable && strings.HasPrefix(file.Message, "nothing listens on ") {
			hint = NoTFTPHint(file.URL)
		}
		d := broken(fmt.Sprintf("The %s can't be had from its server.", role), file.URL+because(file.Message),
			cmp.Or(hint, fmt.Sprintf("see that %s is up and can be reached from %s", whose("the server in that URL", file.URL, file.At), f.Lease.Address.Masked())))
		if s := f.NextServer; hint == "" && s != nil && s.TFTP == PortAnswers && hostOf(at) == s.Address.String() && !strings.HasPrefix(file.URL, "tftp:") {
			d.evidence += "; that machine is up, and answers TFTP"
			d.hint = fmt.Sprintf("see that the server of that URL runs on it, what of its firewall or on the way drops TCP from %s, and whether large frames get through (ping -M do -s 1472 %s)", f.Lease.Address.Masked(), s.Address)
		}
		return d
	}
}

// NoTFTPHint is what to do about a machine that is up, and on which no TFTP server runs.
func NoTFTPHint(link string) string {
	return fmt.Sprintf("start the TFTP server on %s (systemctl status tftpd-hpa; dnsmasq: enable-tftp and tftp-root), or correct its address; a firewall there that rejects UDP as a closed port does looks the same", hostOf(link))
}

func truncated(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		for _, file := range f.Files {
			if file.Role != role {
				continue
			}
			evidence := ""
			switch k := file.Kernel; {
			case file.Result == plan.Empty:
				return f.named(role, broken(fmt.Sprintf("The %s is empty.", role), file.URL+" has 0 bytes", "copy it there again (a full disk cuts files off: df), or correct "+f.namedBy(role)))
			case file.Result == plan.Short && file.Read >= file.Bytes:
				evidence = file.Message
			case file.Result == plan.Short:
				evidence = fmt.Sprintf("%d bytes are announced, %d came", file.Bytes, file.Read) + because(file.Message)
			case k != nil && file.Bytes >= 0 && k.Wants > file.Bytes:
				evidence = fmt.Sprintf("it has %d bytes, and by its own header %d", file.Bytes, k.Wants)
			default:
				continue
			}
			hint := "copy it again; a disk that is full cuts files off, and some TFTP servers do at 32 MiB"
			if file.Result == plan.Short && strings.HasPrefix(file.URL, "http") && (file.Bytes < 0 || file.Read < file.Bytes) {
				hint = "see the error log of the web server, which ended the connection too early: a limit of time or size, there or in a proxy on the way"
			}
			return f.named(role, broken(fmt.Sprintf("The %s is truncated.", role), file.URL+": "+evidence, hint))
		}
		return nil
	}
}

// inspected is the kernel's file when it was looked into.
func (f *Facts) inspected() *File {
	file := f.file("kernel")
	if file == nil || file.Kernel == nil || file.Result != plan.Found {
		return nil
	}
	return file
}

func kernelNotLinux(f *Facts) *finding {
	file := f.inspected()
	if file == nil || file.Kernel.Linux || f.Subject.GuestType == xenout.HVM && file.Misfit == nil { // which boots much
		return nil
	}
	hint := "see what KERNEL names; a web server may answer with a page where the file is missing"
	what := cmp.Or(file.Kernel.Format, "none")
	if file.Kernel.Format == string(kernel.Multiboot) {
		hint = "name the guest's Linux kernel there: a hypervisor such as Xen boots machines, and no guest"
	} else if m := file.Misfit; m != nil {
		what = m.Text
		if !strings.HasPrefix(file.Kernel.Format, string(kernel.HTML)) {
			hint = m.Try
		}
	}
	return broken("The kernel is no kernel that a guest can boot.", fmt.Sprintf("%s is %s", file.URL, what), hint)
}

func kernelWrongArch(f *Facts) *finding {
	file := f.inspected()
	if file == nil {
		return nil
	}
	arch, machine := file.Kernel.Arch, f.Subject.Machine
	if arch == string(kernel.I386) && machine == "x86_64" && file.Kernel.PV && !file.Kernel.PVH {
		return broken("The kernel is for i386 without PAE, and Xen runs 32-bit PV guests with PAE only.", file.URL+" is "+kernelText(file.Kernel),
			"serve a kernel that is built with CONFIG_X86_PAE, or one for x86_64")
	}
	// Xen runs 32-bit x86 guests, too.
	if arch == "" || machine == "" || arch == machine || strings.HasPrefix(arch, "i386") && machine == "x86_64" {
		return nil
	}
	return broken(fmt.Sprintf("The kernel is for %s, and this host's guests are %s.", arch, machine), file.URL+" is "+kernelText(file.Kernel),
		"serve a kernel for "+machine+" to this guest")
}

func kernelNoXen(f *Facts) *finding {
	file := f.inspected()
	if file == nil || !file.Kernel.Looked {
		return nil
	}
	guest, k := f.Subject.GuestType, file.Kernel
	entry := kernel.CheckEntry(guest, k.PV, k.PVH)
	switch {
	case entry == nil && guest == "" && !k.PV:
		return warning("The kernel boots as PVH only.", file.URL+" has the PVH entry point in its notes, and not the PV one",
			`say type="pvh" in the guest's configuration, or serve a kernel with CONFIG_XEN_PV`)
	case entry == nil:
		return nil
	case guest != "":
		return broken(fmt.Sprintf("The kernel can't boot in a %s guest.", guest), file.URL+": "+entry.Error(), entry.Try())
	}
	return broken("The kernel can't boot under Xen without firmware.", file.URL+" has neither the PV nor the PVH entry point in its notes",
		"serve a kernel that is built with CONFIG_XEN_PV or CONFIG_PVH, or make the guest HVM")
}

// kernelPacking: what an older Xen's domain builder can't unpack.
func kernelPacking(f *Facts) *finding {
	file := f.inspected()
	if file == nil || file.Kernel.NeedsXen == "" || f.Subject.Xen == "" || !kernel.Older(f.Subject.Xen, file.Kernel.NeedsXen) {
		return nil
	}
	k := file.Kernel
	return broken(fmt.Sprintf("Xen %s can't unpack the kernel.", f.Subject.Xen),
		fmt.Sprintf("%s is compressed with %s in a way that needs Xen %s", file.URL, k.Packing, k.NeedsXen),
		"serve a kernel that is compressed with gzip or with xz and a dictionary of 32 MiB, or its vmlinux (extract-vmlinux of the kernel's sources), or upgrade Xen")
}

// kernelDamaged is what the gate of a boot knows besides: a packed part that can't be
// unpacked.
func kernelDamaged(f *Facts) *finding {
	file := f.inspected()
	if file == nil || file.Misfit == nil {
		return nil
	}
	return broken("Xen can't read the kernel.", file.URL+": "+file.Misfit.Text, file.Misfit.Try)
}

// initrdWrong goes by the first bytes, as the gate of a boot does. A text is handed
// over by that, as nothing says what an initrd has to be; Linux can't use it.
func initrdWrong(f *Facts) *finding {
	for _, file := range f.Files {
		switch {
		case file.Role != "initrd" || file.Result != plan.Found:
		case file.Misfit != nil:
			return f.named("initrd", broken("The initrd is no initrd.", file.URL+" is "+file.Misfit.Text, file.Misfit.Try))
		case file.Kind == "text":
			return f.named("initrd", warning("The initrd is a text, which Linux can't unpack.", file.URL+" begins with text, and not as a cpio archive or what packs one", "see what the server has there"))
		}
	}
	return nil
}

func argsTooLong(f *Facts) *finding {
	a := f.Args
	if a == nil || a.Bytes <= a.Limit {
		return nil
	}
	evidence := fmt.Sprintf("it has %d bytes, and a guest gets %d", a.Bytes, a.Limit)
	if a.Shortened <= a.Limit && a.Shortened > 0 {
		return warning("The command line is too long: BOOT_IMAGE= and initrd= will be left out.", evidence, "shorten APPEND")
	}
	hint := "shorten APPEND"
	if f.Config != nil {
		hint += " in " + f.Config.URL
	}
	return broken("The command line is too long.", evidence, hint)
}

func noSpace(f *Facts) *finding {
	s := f.Space
	if s != nil && s.ReadOnly {
		return broken("The output directory can't be written to.", s.Directory+" is in a read-only file system",
			"mount it for writing (its log says why it is not), or name another place with --output-directory")
	}
	if s == nil || s.Needed <= s.Free {
		return nil
	}
	return broken("There is no room for kernel and initrd.", fmt.Sprintf("%s needed in %s, %s free", console.Size(s.Needed), s.Directory, console.Size(s.Free)),
		"make room there, or name another place with --output-directory")
}

// toolstackPatience is how long libxl lets a restricted bootloader run, less
// what it takes to start, in seconds.
const toolstackPatience = 110

func tooSlow(f *Facts) *finding {
	const faster = "serve the files by HTTP (http:// in KERNEL and INITRD, or in option 210), or from a TFTP server that knows windowsize"
	s, given := f.seconds(), float64(toolstackPatience)
	if f.Limits != nil && f.Limits.Seconds > 0 {
		given = f.Limits.Seconds
	}
	takes := fmt.Sprintf("%s at the measured rate take about %s", console.Size(f.size()), secondsText(s))
	switch {
	case s > given:
		return broken("The downloads take longer than a boot may.", fmt.Sprintf("%s, and --timeout gives %s", takes, secondsText(given)),
			faster+", or raise --timeout where the toolstack waits for it")
	case s > toolstackPatience:
		return warning("The downloads take longer than some toolstacks wait.", fmt.Sprintf("%s, and libxl gives a restricted bootloader %d s", takes, toolstackPatience), faster)
	}
	return nil
}

// tooLarge: a boot takes no file that is larger than it may have.
func tooLarge(role string) func(*Facts) *finding {
	return func(f *Facts) *finding {
		if f.Limits == nil {
			return nil
		}
		limit, option, size, files := f.Limits.Kernel, "--max-kernel", int64(0), []string(nil)
		if role != "kernel" {
			limit, option = f.Limits.Initrd, "--max-initrd"
		}
		for _, file := range f.Files {
			if file.Role == role {
				size += max(file.Bytes, 0)
				files = append(files, file.URL)
			}
		}
		if limit <= 0 || size <= limit {
			return nil
		}
		return broken(fmt.Sprintf("The %s is larger than a boot takes.", role), fmt.Sprintf("%s: %s, and %s is %s", list(files), console.Size(size), option, console.Size(limit)),
			fmt.Sprintf("see what that file is, or say %s %d", option, size))
	}
}

// seconds is how long all downloads take, about.
func (f *Facts) seconds() (s float64) {
	for _, file := range f.Files {
		s += file.Seconds
	}
	return s
}

// size is that of all files.
func (f *Facts) size() (n int64) {
	for _, file := range f.Files {
		n += max(file.Bytes, 0)
	}
	return n
}

func stormLoss(f *Facts) *finding {
	s := f.Storm
	if s == nil || s.Lost == 0 {
		return nil
	}
	if s.Answered == 0 {
		return broken(fmt.Sprintf("None of %d guests got an answer from a DHCP server.", s.Count), fmt.Sprintf("at %g DISCOVERs a second", s.PerSec),
			"look as one guest first, without --count; these have MACs that are made up, and a server that serves known guests only answers none of them")
	}
	return warning(fmt.Sprintf("The DHCP server left %d of %d guests without an answer.", s.Lost, s.Count),
		fmt.Sprintf("at %g DISCOVERs a second, median %s, p99 %s", s.PerSec, console.Took(s.MedianMs), console.Took(s.P99Ms)),
		"see the server's load and its pool; a ping check before each offer (dnsmasq: no-ping, dhcpd: ping-check false) slows it down")
}
