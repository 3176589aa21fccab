package xenlab

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"time"
)

//go:embed cases
var caseFiles embed.FS

// A Case is a shell script that dom0 runs, and that fails when what it shows
// is not so.
type Case struct {
	Name   string
	About  string        // what it shows: the comment that the script begins with
	Xen    string        // the first version that has what it is about; "" for all
	Slow   time.Duration // how long it may take, if it is too slow to run every time
	Script []byte
}

// On says whether the case runs on that version of Xen, where slow ones are
// run or not.
func (c Case) On(xen string, slow bool) bool {
	return c.Xen <= xen && (slow || c.Slow == 0) // the versions are from 4.10 to 4.99
}

// Cases are all there are, by name.
func Cases() ([]Case, error) {
	entries, err := caseFiles.ReadDir("cases")
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, entry := range entries {
		script, err := caseFiles.ReadFile(path.Join("cases", entry.Name()))
		if err != nil {
			return nil, err
		}
		c, err := parseCase(strings.TrimSuffix(entry.Name(), ".sh"), script)
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// parseCase reads the comment at the script's begin: prose, and maybe the lines
// "xen: VERSION" and "slow: DURATION".
func parseCase(name string, script []byte) (Case, error) {
	c := Case{Name: name, Script: script}
	var about []string
	for line := range strings.Lines(string(script)) {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		comment = strings.TrimSpace(comment)
		if xen, ok := strings.CutPrefix(comment, "xen: "); ok {
			c.Xen = xen
		} else if slow, ok := strings.CutPrefix(comment, "slow: "); ok {
			var err error
			if c.Slow, err = time.ParseDuration(slow); err != nil {
				return c, fmt.Errorf("case %s: %w", name, err)
			}
		} else {
			about = append(about, comment)
		}
	}
	c.About = strings.Join(about, " ")
	return c, nil
}

// installs says whether the case needs Debian's installer.
func (c Case) installs() bool { return strings.HasPrefix(c.Name, "installer-") }

// quick is how long a case may take that does not say that it is slow.
const quick = 5 * time.Minute

func (c Case) limit() time.Duration { return max(quick, c.Slow) }
