package oracle

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// Stage is what DHCP names to iPXE where a case has a Script. The machine's own ROM is
// iPXE, too: this has it ask as one that is none, for the boot file. The iPXE that it
// loads asks by itself, is named this as well, and goes on to the script. What is set
// when it is loaded it would take over, with the ROM's DHCP answer.
const Stage = "oracle-stage"

const stageScript = `#!ipxe
iseq ${net0/chip} undionly && chain --replace SCRIPT ||
set user-class ROM
dhcp
clear user-class
chain ${filename}
`

// makeChain puts Debian's undionly.kpxe where the case's boot file is to be, and what
// leads there.
func makeChain(c *Case, root string) error {
	undionly, err := real.File("/usr/lib/ipxe/undionly.kpxe", "ipxe")
	if err != nil {
		return err
	}
	content, err := os.ReadFile(undionly)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, c.BootFile), content, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, Stage), []byte(strings.Replace(stageScript, "SCRIPT", c.Script, 1)), 0o644)
}
