package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// The completions ask gopxeboot's help. This is what a shell shows for a word,
// with the commands that it calls.
func TestCompletions(t *testing.T) {
	bin := t.TempDir()
	self, err := filepath.Abs(os.Args[0])
	labtest.Check(t, err)
	labtest.Check(t, os.Symlink(self, filepath.Join(bin, "gopxeboot")))
	for _, shell := range []struct{ name, script string }{
		{"bash", `. ../../packaging/completions/gopxeboot.bash
			COMP_WORDS=($LINE) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gopxeboot; printf '%s\n' "${COMPREPLY[@]}"`},
		{"zsh", `compadd() { shift; print -l -- ${(M)@:#${words[CURRENT]}*} }; _files() { }
			words=(${=LINE}); CURRENT=$#words; . ../../packaging/completions/_gopxeboot`},
	} {
		t.Run(shell.name, func(t *testing.T) {
			if _, err := exec.LookPath(shell.name); err != nil {
				labtest.Missing(t, shell.name)
			}
			for line, want := range map[string]string{
				"gopxeboot ch":          "check",
				"gopxeboot check --rep": "--replay --report",
				"gopxeboot get --labe":  "",
				"gopxeboot --labe":      "--label",
				"gopxeboot --sha":       "--sha256",

				"gopxeboot mac=00:16:3e:72:79:e3 --labe": "--label",
			} {
				cmd := exec.Command(shell.name, "-c", shell.script)
				cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LINE="+line)
				said, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v: %s", line, err, said)
				}
				got := strings.Fields(string(said))
				slices.Sort(got)
				if strings.Join(got, " ") != want {
					t.Errorf("%s: %q, want %q", line, got, want)
				}
			}
		})
	}
}
