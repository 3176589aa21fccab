// Package dhcpclient gets a DHCP lease as somebody else: it speaks by raw
// Ethernet frames with the MAC of a guest that has no network of its own
// yet, and asks as that guest's PXE ROM would.
//
// [Listen] opens an interface, or one VLAN of it; [Client.Lease] does DHCP on it.
// That is all that a ROM does: offers of several servers, proxyDHCP in the offer
// and on port 4011, boot menus and boot servers of option 43, and a look by ARP
// for another station with the address. [ROM] says which firmware asks, [Capture]
// keeps the frames for tcpdump and tshark.
//
// [Client.Try] asks and takes nothing, and tells where each value of the lease
// would come from; [Conclude] tells the same of frames that were captured. What
// all servers said, message by message, is in package survey.
//
// Nothing is configured on the interface and nothing is released afterwards:
// the guest asks again with the same MAC and gets the same address. Who wants to
// release it calls [Client.Release]. Only while Lease or Try run do they answer
// ARP for that address.
package dhcpclient
