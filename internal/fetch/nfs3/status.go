package nfs3

import "fmt"

// Status is what a server answers instead of a file: nfsstat3 and mountstat3
// of RFC 1813, which have the same numbers.
type Status uint32

// The answers that a caller decides on.
const (
	NotPermitted Status = 1
	NotFound     Status = 2
	NoAccess     Status = 13
	NotDirectory Status = 20
	IsDirectory  Status = 21
	Invalid      Status = 22
	NameTooLong  Status = 63
	Stale        Status = 70
)

var statusText = map[Status]string{
	NotPermitted: "not permitted",
	NotFound:     "no such file or directory",
	5:            "input/output error",
	6:            "no such device",
	NoAccess:     "permission denied",
	NotDirectory: "not a directory",
	IsDirectory:  "is a directory",
	Invalid:      "neither a file nor a directory",
	NameTooLong:  "the name is too long",
	Stale:        "stale file handle",
	10001:        "bad file handle",
	10004:        "not supported",
	10006:        "server fault",
	10008:        "the server is not ready, try later",
}

func (s Status) Error() string {
	if text := statusText[s]; text != "" {
		return text
	}
	return fmt.Sprintf("NFS status %d", uint32(s))
}

// status reads the status that every answer but the portmapper's begins with.
func (d *decoder) status() error {
	s := Status(d.uint32())
	switch {
	case d.failed:
		return garbled("an answer without a status")
	case s != 0:
		return s
	}
	return nil
}
