//go:build !amd64 && !arm64

package guest

// Elsewhere no list of system calls was made: see Filtered.
const architecture = 0

func rules() []rule { return nil }
