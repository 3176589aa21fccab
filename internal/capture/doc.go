// Package capture reads and writes packet captures: pcap and pcapng, as
// tcpdump, Wireshark and dumpcap save them, and what this program records
// itself.
//
// A capture may come from anybody: sizes are bounded, and a broken file ends
// with an error behind the packets that could be read.
package capture
