package wire

import (
	"encoding/binary"
	"net"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The filters see a frame without its outer tag, which the kernel has taken off
// and remembers elsewhere. What the interface sends itself they drop.

// InVLAN drops what is in another VLAN; 0 is in none.
func InVLAN(vlan uint16) []bpf.Instruction {
	if vlan == 0 {
		return []bpf.Instruction{
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 5},
			bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 4},
			bpf.LoadExtension{Num: bpf.ExtVLANTag},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: vlanMask},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
			bpf.RetConstant{},
		}
	}
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 7},
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 5},
		bpf.LoadExtension{Num: bpf.ExtVLANProto}, // or a provider's tag, IEEE 802.1ad
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: TypeVLAN, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: vlanMask},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(vlan), SkipTrue: 1},
		bpf.RetConstant{},
	}
}

// NotInVLAN drops what InVLAN takes.
func NotInVLAN(vlan uint16) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 7},
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 4}, // and 0 is the VLAN of no tag
		bpf.LoadExtension{Num: bpf.ExtVLANProto},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: TypeVLAN, SkipTrue: 4}, // a provider's tag
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: vlanMask},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(vlan), SkipTrue: 1},
		bpf.RetConstant{},
	}
}

// OfClient drops IPv4 that is no DHCP message to the client with that MAC.
func OfClient(mac net.HardwareAddr) []bpf.Instruction {
	const chaddr = EthernetHeader + 8 + 28 // behind the IP header: UDP's, and of the message
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: TypeIPv4, SkipTrue: 6},
		bpf.LoadMemShift{Off: EthernetHeader}, // X is the length of the IP header
		bpf.LoadIndirect{Off: chaddr, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(mac), SkipTrue: 2},
		bpf.LoadIndirect{Off: chaddr + 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: 1},
		bpf.RetConstant{},
	}
}

// ToDHCPClient takes ARP, and IPv4 UDP datagrams to a DHCP client that arrive
// whole, up to so many bytes of a frame. Answers to a REQUEST on port 4011 go
// there too.
func ToDHCPClient(size uint32) []bpf.Instruction {
	const fragment = 0x3fff // more fragments, or an offset
	accept := bpf.RetConstant{Val: size}
	drop := bpf.RetConstant{}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: TypeARP, SkipTrue: 1},
		accept,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: TypeIPv4, SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: EthernetHeader + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: ProtocolUDP, SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: EthernetHeader + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: fragment, SkipTrue: 1},
		drop,
		bpf.LoadMemShift{Off: EthernetHeader}, // X is the length of the IP header
		bpf.LoadIndirect{Off: EthernetHeader + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: PortDHCPClient, SkipTrue: 1},
		drop,
		accept,
	}
}
