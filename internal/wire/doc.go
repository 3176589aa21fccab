// Package wire is Ethernet and what a boot carries on it: frames with VLAN tags,
// ARP, IPv4, UDP and the shape of DHCP messages, packet sockets, and packet
// captures.
//
// Frames come from anybody. What does not fit is not ok, and never a panic; what
// is parsed shares the memory of the frame.
package wire
