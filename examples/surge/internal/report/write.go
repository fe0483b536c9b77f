package report

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Writable reports whether files can be written into a folder, which is made.
func Writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".surge-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Write writes surge.json, surge.html and surge-picture.html, the main charts alone, into a folder and gives their names.
func Write(dir string, s *Summary) (files string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return "", err
	}
	var names []string
	for _, f := range []struct{ name, text string }{
		{"surge.json", string(data) + "\n"}, {"surge.html", s.Page()}, {"surge-picture.html", s.Picture()},
	} {
		name := filepath.Join(dir, f.name)
		if err := os.WriteFile(name, []byte(f.text), 0o644); err != nil {
			return "", err
		}
		names = append(names, name)
	}
	return strings.Join(names, ", "), nil
}
