// Package survey tells what DHCP servers answer to a guest, and where each value
// of its lease would come from: for people who look for the reason why a guest
// does not boot.
//
// [Run] asks as a dhcpclient.Client and takes nothing, and records all that is
// said, also what is not for the guest and in other VLANs. [Replay] makes the
// same [Survey] of a capture, and [Decode] reads one frame of it, option by
// option. [Holder] and [Inform] are questions that no ROM asks: who has an
// address, and whether a server is there that has none to offer.
package survey
