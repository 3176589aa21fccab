package guest

// Pid is the child's process id.
func (g *Guest) Pid() int { return g.cmd.Process.Pid }
