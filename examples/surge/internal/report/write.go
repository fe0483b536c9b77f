package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

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
