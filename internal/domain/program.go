package domain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// programs runs what is installed in dom0. No shell is involved, and nothing
// of the environment that xl was started with gets there.
type programs struct {
	path     []string      // where they are looked for
	timeout  time.Duration // for one run
	maxBytes int           // of one's output
}

var dom0 = programs{
	path: []string{
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
		"/opt/xensource/bin",         // xe
		"/run/current-system/sw/bin", // NixOS, which has none of the others
	},
	timeout:  5 * time.Second,
	maxBytes: maxFile,
}

// RunFor runs one of dom0's programs, by its name, for so long at most, and
// returns what it prints. What it prints on its standard error is in the error.
func RunFor(ctx context.Context, limit time.Duration, name string, args ...string) ([]byte, error) {
	p := dom0
	p.timeout = limit
	return p.run(ctx, name, args...)
}

// FindProgram is the file of one of dom0's programs. The caller's PATH has no
// say: what is run is run as root.
func FindProgram(name string) (string, error) { return dom0.find(name) }

// ProgramPath is the PATH for dom0's programs.
func ProgramPath() string { return strings.Join(dom0.path, ":") }

func (p programs) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	file, err := p.find(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, fmt.Errorf("no answer in %v", p.timeout))
	defer cancel()
	ctx, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	stdout, stderr := &bounded{max: p.maxBytes, over: kill}, &bounded{max: p.maxBytes, over: kill}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + strings.Join(p.path, ":"), "LC_ALL=C", "HOME=/root"}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second // for what the program itself left running
	switch err := cmd.Run(); {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", name, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("%s: %w%s", name, err, complaint(stderr.data.String()))
	}
	return stdout.data.Bytes(), nil
}

func (p programs) find(name string) (string, error) {
	for _, dir := range p.path {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s %w", name, errNotInstalled)
}

// errNotInstalled is the end of the error of a program that is not there.
var errNotInstalled = errors.New("is not installed")

// complaint is the first line of a program's standard error, fit for a line
// of ours.
func complaint(stderr string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	line = printable.Text(line)
	if line == "" {
		return ""
	}
	const most = 200
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return ": " + line
}

// bounded keeps what a program writes, and has the one killed that writes too
// much. It is no bytes.Buffer, because exec would fill that by its ReadFrom.
type bounded struct {
	data bytes.Buffer
	max  int
	over context.CancelCauseFunc
}

func (b *bounded) Write(data []byte) (int, error) {
	if b.data.Len()+len(data) > b.max {
		err := fmt.Errorf("it wrote more than %d bytes", b.max)
		b.over(err)
		return 0, err
	}
	return b.data.Write(data)
}
