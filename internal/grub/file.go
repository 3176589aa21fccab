package grub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// A Try is one name that was asked for.
type Try struct {
	URL  string
	Err  error // of the opener; nil for a file that is there
	Took time.Duration
}

// source runs a file as source and configfile do, and says whether it is there.
func (m *machine) source(name string) bool {
	m.down()
	defer m.up()
	if m.over() {
		return false
	}
	if m.current().menu == nil {
		m.current().menu = &menu{}
	}
	at, begin := m.at, time.Now()
	url, text, failure := m.read(name)
	if m.config == "" && url != "" && !strings.HasPrefix(url, memdisk) {
		*m.tried = append(*m.tried, Try{url, m.files.known[url].err, time.Since(begin)})
		if failure == nil {
			m.config = url
		}
	}
	if failure != nil {
		return false
	}
	file, directory := m.current().variables["config_file"], m.current().variables["config_directory"]
	if !strings.HasPrefix(name, "(") {
		name = "(" + m.get("root") + ")" + name
	}
	m.set("config_file", name)
	m.set("config_directory", name[:max(strings.LastIndexByte(name, '/'), 0)])
	m.export("config_file")
	m.export("config_directory")
	m.text(url, text)
	m.current().variables["config_file"], m.current().variables["config_directory"] = file, directory
	m.at = at
	return true
}

// read reads a file by GRUB's name for it. What keeps it from being read but a
// server that does not have it ends the run.
func (m *machine) read(name string) (url, text string, f *failure) {
	url, f = m.url(name)
	if f != nil {
		return "", "", f
	}
	if inside, found := strings.CutPrefix(url, memdisk); found {
		if text, found = m.image.Memdisk[inside]; !found {
			f = failed(fileNotFound, "%s is not in the image", inside)
		}
		return url, text, f
	}
	data, err := m.files.read(m.ctx, url)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return url, "", failed(inputOutput, "%s is not there", url)
	case err != nil:
		m.fail("%s: %w", url, err)
		return url, "", failed(inputOutput, "%s: %v", url, err)
	}
	m.spend(len(data) + 1)
	return url, string(data), nil
}

// files reads files, each once.
type files struct {
	open  Opener
	known map[string]answer
}

type answer struct {
	data []byte
	err  error
}

func (f *files) read(ctx context.Context, url string) ([]byte, error) {
	if a, known := f.known[url]; known {
		return a.data, a.err
	}
	if len(f.known) >= maxFiles {
		return nil, fmt.Errorf("%w: more than %d files", ErrTooLarge, maxFiles)
	}
	data, err := f.fetch(ctx, url)
	f.known[url] = answer{data, err}
	return data, err
}

func (f *files) fetch(ctx context.Context, url string) ([]byte, error) {
	r, err := f.open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, maxFile)
	}
	return data, err
}
