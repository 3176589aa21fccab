package xenlab

import (
	"embed"
	"path"
	"strings"
)

//go:embed cases
var caseFiles embed.FS

// A Case is a shell script that dom0 runs, and that fails when what it shows
// is not so.
type Case struct {
	Name   string
	About  string // what it shows: the comment that the script begins with
	Later  string // what has to be built before it can pass; "" for a case that passes
	Script []byte
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
		cases = append(cases, parseCase(strings.TrimSuffix(entry.Name(), ".sh"), script))
	}
	return cases, nil
}

// parseCase reads the comment at the script's begin: prose, and maybe a line
// "later: what it waits for".
func parseCase(name string, script []byte) Case {
	c := Case{Name: name, Script: script}
	var about []string
	for line := range strings.Lines(string(script)) {
		comment, ok := strings.CutPrefix(line, "#")
		if !ok {
			break
		}
		comment = strings.TrimSpace(comment)
		if later, ok := strings.CutPrefix(comment, "later: "); ok {
			c.Later = later
		} else {
			about = append(about, comment)
		}
	}
	c.About = strings.Join(about, " ")
	return c
}
