// Package ipxe runs iPXE scripts without a network: it is given a function that
// opens a URL, and says what boots.
//
// It does what iPXE does (ipxe.org, core/exec.c, image/script.c and
// core/settings.c), with what a guest without firmware and without a user has
// not: a command that needs those fails, and the script goes on as it would.
// Everything that comes from a server is bounded.
package ipxe
