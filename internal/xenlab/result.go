package xenlab

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Result is what came of a case.
type Result struct {
	Case    string
	Seconds float64
	Failure string // why it failed; "" when it passed
	Log     string // what the case and all those it ran wrote
}

// results reads what dom0 writes to its second serial port: for each case
//
//	case NAME
//	 ...                            any number of lines of the log, each after a blank
//	pass SECONDS, or fail SECONDS WHY
//
// and "end" at last, so that no one takes a dom0 that died for one that is
// done.
type results struct {
	lines *bufio.Scanner
}

func newResults(r io.Reader) *results {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	return &results{lines: lines}
}

// next is the next case's result; io.EOF after the last one. A case that was
// begun and has no end is a result and an error.
func (r *results) next() (Result, error) {
	var result Result
	var log strings.Builder
	for r.lines.Scan() {
		line := strings.TrimRight(r.lines.Text(), "\r")
		if text, ok := strings.CutPrefix(line, " "); ok {
			log.WriteString(text + "\n")
			continue
		}
		keyword, rest, _ := strings.Cut(line, " ")
		switch {
		case keyword == "case" && result.Case == "":
			result.Case = rest
		case (keyword == "pass" || keyword == "fail") && result.Case != "":
			seconds, why, _ := strings.Cut(rest, " ")
			var err error
			if result.Seconds, err = strconv.ParseFloat(seconds, 64); err != nil {
				return result, fmt.Errorf("bad line from dom0: %q", line)
			}
			if keyword == "fail" {
				if result.Failure = why; why == "" {
					result.Failure = "no reason given"
				}
			}
			result.Log = log.String()
			return result, nil
		case keyword == "end" && result.Case == "":
			return result, io.EOF
		default:
			return result, fmt.Errorf("bad line from dom0: %q", line)
		}
	}
	result.Log = log.String()
	if err := r.lines.Err(); err != nil {
		return result, fmt.Errorf("read from dom0: %w", err)
	}
	return result, fmt.Errorf("dom0 ended early: %w", io.ErrUnexpectedEOF)
}
