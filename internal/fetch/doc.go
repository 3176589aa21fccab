// Package fetch opens a file behind a URL: one Open over all schemes, one file
// of source per scheme, none of which knows another. It resolves names through
// the guest's own DNS servers only, bounds every wait and every size, and never
// calls a file of the wrong size a success.
package fetch
