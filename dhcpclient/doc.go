// Package dhcpclient gets a DHCP lease as somebody else: it speaks by raw
// Ethernet frames with the MAC of a guest that has no network of its own
// yet, and asks as that guest's PXE ROM would.
//
// [Listen] opens the wire, [Client.Lease] does DHCP on it. Nothing is
// configured on the interface and nothing is released afterwards: the guest
// asks again with the same MAC and gets the same address.
package dhcpclient
