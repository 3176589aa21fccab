// Package dhcpclient gets a DHCP lease as somebody else: it speaks by raw
// Ethernet frames with the MAC of a guest that has no network of its own
// yet, and asks as that guest's PXE ROM would.
package dhcpclient
