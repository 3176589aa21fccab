// Package nfs3 reads a file from an NFS server: NFS version 3 and its MOUNT
// protocol (RFC 1813) over ONC RPC on TCP (RFC 5531), with ports from the
// portmapper (RFC 1833), all of it in user space and for reading only.
//
// Nothing that a server answers makes it allocate more than one answer's
// limit, call more often than the path has names and links, or panic; and
// connections are the caller's to make.
package nfs3
