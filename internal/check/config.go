package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// NewConfig is what stands in a configuration of that many bytes, with at most
// 200 labels.
func NewConfig(found *pxelinux.Config, bytes int64) *Config {
	c := &Config{URL: found.URL, Bytes: bytes, Lines: found.Lines}
	for _, l := range found.Labels[:min(len(found.Labels), 200)] {
		c.Labels = append(c.Labels, l.Name)
	}
	if d := found.Default; d.Command != "" {
		c.Default = strings.Join(strings.Fields(d.Command), " ")
		c.DefaultAt = fmt.Sprintf("%s:%d", d.File, d.Line)
	}
	return c
}

// Lint adds what pxelinux.Lint finds in the configuration's text, at
// most 50 findings.
func (c *Config) Lint(ctx context.Context, h pxelinux.Host, text []byte, open pxelinux.Opener) {
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
