package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Verification speaks the language of the flag, or else of the locale; JSON is the
// same in all.
func TestLanguageOfReports(t *testing.T) {
	dir, in := demo(t)
	out := strings.TrimSuffix(in, ".pdf") + "-stamped.pdf"
	ok(t, "stamp", "--dir", dir, "--account", "me", "--key", "k", "--in", in, "--out", out)
	locale := func(all, messages, lang string) {
		t.Setenv("LC_ALL", all)
		t.Setenv("LC_MESSAGES", messages)
		t.Setenv("LANG", lang)
	}
	const english, indonesian = "every signature is good", "semua tanda tangan elektronik lolos pemeriksaan"
	for _, c := range []struct{ all, messages, lang, flag, want string }{
		{"", "", "", "", english},
		{"", "", "id_ID.UTF-8", "", indonesian},
		{"", "id", "en_US.UTF-8", "", indonesian},
		{"C", "id_ID", "id_ID", "", english},
		{"", "", "idx_XX", "", english},
		{"", "", "ID-id@x", "", indonesian},
		{"", "", "id_ID.UTF-8", "en", english},
		{"C", "", "", "id", indonesian},
	} {
		locale(c.all, c.messages, c.lang)
		args := []string{"verify", "--dir", dir, "--integrity-only", out}
		if c.flag != "" {
			args = append(args, "--lang", c.flag)
		}
		_, text, _ := meterai(t, args...)
		require.Contains(t, text, c.want, c)
	}
	locale("C", "", "")
	_, en, _ := meterai(t, "verify", "--dir", dir, "--json", out)
	_, id, _ := meterai(t, "verify", "--dir", dir, "--json", "--lang", "id", out)
	require.Equal(t, en, id)
	code, text, _ := meterai(t, "seal", "--dir", dir, "--lang", "id", "12345")
	require.Equal(t, 1, code)
	require.Contains(t, text, "teks ini bukan segel meterai elektronik")
	for _, command := range []string{"verify", "seal"} {
		code, _, errOut := meterai(t, command, "--dir", dir, "--lang", "fr", out)
		require.Equal(t, 64, code)
		require.Contains(t, errOut, "--lang is en or id")
	}
}
