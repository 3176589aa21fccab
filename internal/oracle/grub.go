package oracle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// isGRUB says whether the case is one of GRUB: its boot file is what
// grub-mknetdir makes, DIR/i386-pc/core.0.
func (c *Case) isGRUB() bool { return path.Base(c.BootFile) == "core.0" }

// grubModules is where Debian's package grub-pc-bin has what grub-mknetdir
// puts together.
const grubModules = "/usr/lib/grub/i386-pc"

// makeGRUB puts GRUB where the case's boot file is to be.
func makeGRUB(c *Case, root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	cmd, err := real.Program("grub-mknetdir")
	if err != nil {
		return err
	}
	modules := grubModules
	if prefix, fetched := strings.CutSuffix(cmd.Path, "/usr/bin/grub-mknetdir"); fetched {
		modules = prefix + grubModules
	}
	above := strings.TrimSuffix(strings.TrimSuffix(path.Dir(c.BootFile), "i386-pc"), "/")
	cmd.Args = append(cmd.Args, "--net-directory="+root, "--subdir="+above, "--directory="+modules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("grub-mknetdir: %w: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(root, c.BootFile)); err != nil {
		return errors.New("grub-mknetdir makes DIR/i386-pc/core.0, and no other boot file")
	}
	return nil
}

// isGRUBsOwn recognises the requests for GRUB's own parts.
func isGRUBsOwn(name string) bool {
	switch path.Ext(strings.TrimSuffix(name, ".gz")) {
	case ".mod", ".lst", ".pf2", ".mo", ".gmo":
		return true
	}
	return false
}
