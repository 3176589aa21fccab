// Package probe looks at a live lab from the guest's place, step by step as a
// boot goes, and records what it sees as the facts of package check. It opens
// no socket that needs rights: those are given to it, as is what only a boot can
// do.
package probe
