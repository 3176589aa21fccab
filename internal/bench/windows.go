package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// serveWindows serves the tree by TFTP with windows, by the letter of RFC 7440:
// what a transfer costs here is the protocol's and the client's doing, and no
// server's own.
func serveWindows(tree string) error {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 69})
	if err != nil {
		return err
	}
	request := make([]byte, 600)
	for {
		n, client, err := conn.ReadFromUDP(request)
		if err != nil {
			return err
		}
		words := strings.Split(string(request[2:n]), "\x00")
		go func() {
			if err := sendWindows(tree, words, client); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

func sendWindows(tree string, words []string, client *net.UDPAddr) error {
	conn, err := net.DialUDP("udp4", nil, client)
	if err != nil {
		return err
	}
	defer conn.Close()
	file, err := os.Open(filepath.Join(tree, words[0]))
	if err != nil {
		_, err = conn.Write([]byte("\x00\x05\x00\x01not here\x00"))
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	block, window := 512, 1
	oack := fmt.Sprintf("\x00\x06tsize\x00%d\x00", info.Size())
	for i := 2; i+1 < len(words); i += 2 {
		switch words[i] {
		case "blksize":
			block, err = strconv.Atoi(words[i+1])
		case "windowsize":
			window, err = strconv.Atoi(words[i+1])
		default:
			continue
		}
		if err != nil {
			return err
		}
		oack += words[i] + "\x00" + words[i+1] + "\x00"
	}
	blocks := int(info.Size())/block + 1
	packet := make([]byte, 4+block)
	packet[1] = 3 // DATA
	answer := make([]byte, 600)
	acked := -1 // blocks; the OACK is none yet
	for silent := 0; silent < 10; {
		if acked < 0 {
			_, err = conn.Write([]byte(oack))
		}
		for i := acked; acked >= 0 && i < min(acked+window, blocks); i++ {
			n, _ := file.ReadAt(packet[4:], int64(i)*int64(block))
			binary.BigEndian.PutUint16(packet[2:], uint16(i+1))
			_, err = conn.Write(packet[:4+n])
		}
		if err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		n, err := conn.Read(answer)
		switch {
		case err != nil:
			silent++
			continue
		case n < 4 || answer[1] != 4:
			return nil // the client has enough
		}
		silent = 0
		acked = max(acked, 0)
		if acked += int(int16(binary.BigEndian.Uint16(answer[2:]) - uint16(acked))); acked < 0 || acked >= blocks {
			return nil
		}
	}
	return nil
}
