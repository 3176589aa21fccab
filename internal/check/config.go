package check

import (
	"context"

	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// Lint takes down what pxelinux.Lint finds in the configuration's text, at
// most 50 findings.
func (c *Config) Lint(ctx context.Context, h pxelinux.Host, text []byte, open pxelinux.Opener) {
	c.Findings, c.Problems = nil, nil
	// An error of the Opener is one that Find had, too.
	findings, _ := pxelinux.Lint(ctx, h, base(c.URL), text, open)
	for _, f := range findings {
		const most = 50
		// Foreman and others write TIMEOUT beside a DEFAULT that boots at once,
		// and it does no harm.
		if f.Code == pxelinux.TimeoutUnused || len(c.Findings) == most {
			continue
		}
		c.Findings = append(c.Findings, f)
		c.Problems = append(c.Problems, f.String())
	}
}
