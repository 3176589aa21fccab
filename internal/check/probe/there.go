package probe

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// ThereTime is how long There takes at most.
const ThereTime = 3 * time.Second

// There looks for a kernel or an initrd that is not there under a few other names by
// which it may be meant; nil for none, and for iPXE, whose script breaks off.
func There(ctx context.Context, files *fetch.Client, p *plan.Plan, role, link string) *plan.There {
	server, err := url.Parse(link)
	if err != nil || p.Boot.Program == plan.IPXE || p.Config.URL == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ThereTime)
	defer cancel()
	root := server.Scheme + "://" + server.Host + "/"
	prefix := root // of names as they are written
	host := pxelinux.Host{Server: p.Lease.NextServer, BootFile: p.Lease.BootFile, PathPrefix: p.Lease.PathPrefix}
	if first, err := host.Resolve("x"); err == nil && p.Boot.Program != plan.GRUB {
		prefix = strings.TrimSuffix(first, "x")
	}
	beside := ""
	if role == "initrd" {
		beside = p.Boot.Kernel
	} else if len(p.Boot.Initrds) > 0 {
		beside = p.Boot.Initrds[0]
	}
	for _, other := range otherNames(role, link, root, prefix, beside) {
		head, _, err := files.ReadHead(ctx, other, kernel.InitrdHead, nil, 0)
		if result(err) == plan.Silent || ctx.Err() != nil {
			return nil
		}
		if err != nil || !isOf(role, head) {
			continue
		}
		name, ok := strings.CutPrefix(other, prefix)
		inRoot, below := strings.CutPrefix(other, root)
		switch {
		case p.Boot.Program == plan.GRUB:
			name = "/" + inRoot
		case ok:
		case below && server.Scheme == "tftp" && strings.HasPrefix(prefix, root):
			name = "::" + inRoot
		default:
			name = other
		}
		return &plan.There{URL: other, Name: name}
	}
	return nil
}

// isOf says whether a file begins as a kernel or an initrd does, and not as the page
// that a web server has for a directory.
func isOf(role string, head []byte) bool {
	if role == "kernel" {
		info, _ := kernel.Inspect(bytes.NewReader(head), int64(len(head)))
		return check.NewKernel(info).Linux
	}
	info, misfit := kernel.InspectInitrd(head)
	kind := check.NewKind(info)
	return misfit == nil && kind != "" && kind != "text"
}

// usualNames are those that distributions give their files.
var usualNames = map[string][]string{
	"kernel": {"vmlinuz", "linux", "bzImage"},
	"initrd": {"initrd.img", "initrd.gz", "initrd"},
}

// maxOtherNames is how many are asked for.
const maxOtherNames = 6

// otherNames are URLs of what may be meant by one: in lower case, beside the other file
// that boots, without its directory, by the other usual names, or at the server's root.
func otherNames(role, link, root, prefix, beside string) (list []string) {
	under := prefix
	if !strings.HasPrefix(link, under) {
		under = root
	}
	if !strings.HasPrefix(link, under) || strings.HasSuffix(link, "/") {
		return nil
	}
	name := strings.TrimLeft(link[len(under):], "/")
	dir, base := name[:strings.LastIndexByte(name, '/')+1], name[strings.LastIndexByte(name, '/')+1:]
	add := func(other string) {
		if other != link && len(list) < maxOtherNames && !slices.Contains(list, other) {
			list = append(list, other)
		}
	}
	add(under + name)
	add(under + dir + strings.ToLower(base))
	add(under + strings.ToLower(name))
	if strings.HasPrefix(beside, root) {
		add(beside[:strings.LastIndexByte(beside, '/')+1] + base)
	}
	add(under + base)
	usual := usualNames[role]
	if slices.ContainsFunc(usual, func(n string) bool { return strings.EqualFold(n, base) }) {
		for _, n := range usual {
			add(under + dir + n)
		}
	}
	add(root + name)
	add(under + dir + strings.ToUpper(base))
	return list
}
