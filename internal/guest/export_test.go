package guest

// Pid is the child's process id.
func (g *Guest) Pid() int { return g.cmd.Process.Pid }

// The frames of relay_test.go, for tests with a real child, and what this kernel
// has.
var (
	Forged      = forged
	DHCPFrame   = dhcpFrame
	VLANDevices = vlanDevices
)

// MTU is the child's interface's.
func (g *Guest) MTU() int {
	link, err := g.port.child.LinkByName(guestInterface)
	if err != nil {
		return -1
	}
	return link.Attrs().MTU
}
