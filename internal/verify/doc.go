// Package verify says whether files are those that somebody signed or listed:
// SHA-256 digests, lists of them as sha256sum(1) writes them, and signatures of
// minisign and OpenPGP over such a list. It opens nothing itself.
//
// Lists and signatures may come from anybody: they are bounded, and a name in a
// list means a file below the list's own directory and no other.
package verify
