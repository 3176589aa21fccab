// Package bridging knows Linux bridges by netlink: their ports, what a port lets
// through, and how a veth is made a port that forwards.
package bridging
