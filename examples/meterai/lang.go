package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"
)

// addLang adds the flag of the language in which reports speak to people.
func addLang(cmd *cobra.Command, lang *string) {
	cmd.Flags().StringVar(lang, "lang", "", "language of the text, en or id (default: id where the locale is Indonesian, else en)")
}

// languageOf is the language that the flag names, or else the locale of the
// environment (POSIX: the first of LC_ALL, LC_MESSAGES and LANG that is set).
func languageOf(lang string) (language.Tag, error) {
	switch lang {
	case "en":
		return language.English, nil
	case "id":
		return language.Indonesian, nil
	case "":
		return localeLanguage(), nil
	}
	return language.Tag{}, usage("--lang is en or id, not %q", lang)
}

func localeLanguage() language.Tag {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		locale := os.Getenv(name)
		if locale == "" {
			continue
		}
		if base, _, _ := strings.Cut(strings.NewReplacer("-", "_", ".", "_", "@", "_").Replace(locale), "_"); strings.EqualFold(base, "id") {
			return language.Indonesian
		}
		break
	}
	return language.English
}
