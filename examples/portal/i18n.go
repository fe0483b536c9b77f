package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/text/language"
)

//go:embed lang/*.json
var langFiles embed.FS

// A catalogue has every message in every language, by its key. The templates
// and handlers know keys alone, so a translator needs nothing but the files.
type catalogue struct {
	names   []string // in the order of the matcher; the first is the default
	texts   map[string]map[string]string
	matcher language.Matcher
}

func openCatalogue() (*catalogue, error) {
	c := &catalogue{names: []string{"en", "id"}, texts: map[string]map[string]string{}}
	var tags []language.Tag
	for _, name := range c.names {
		b, err := langFiles.ReadFile("lang/" + name + ".json")
		if err != nil {
			return nil, err
		}
		var texts map[string]string
		if err := json.Unmarshal(b, &texts); err != nil {
			return nil, fmt.Errorf("lang/%s.json: %w", name, err)
		}
		c.texts[name] = texts
		tags = append(tags, language.Make(name))
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

// of finds the language of a visitor: the one chosen by a link, which a cookie
// keeps, or what the browser prefers.
func (c *catalogue) of(w http.ResponseWriter, r *http.Request, secure bool) string {
	if chosen := r.URL.Query().Get("lang"); c.texts[chosen] != nil {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: chosen, Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
		return chosen
	}
	if cookie, err := r.Cookie("lang"); err == nil && c.texts[cookie.Value] != nil {
		return cookie.Value
	}
	_, n := language.MatchStrings(c.matcher, r.Header.Get("Accept-Language"))
	return c.names[n]
}

// text gives a message. A key that is missing shows itself, and fails a test.
func (c *catalogue) text(lang, key string, args ...any) string {
	format, ok := c.texts[lang][key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// formatTime gives a time as the offices of Jakarta read it.
func formatTime(t time.Time) string {
	return t.In(time.FixedZone("WIB", 7*3600)).Format("2006-01-02 15:04:05 WIB")
}

// rupiah groups an amount: Rp1.250.000.
func rupiah(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "." + s[i:]
	}
	return "Rp" + s
}

// A wait says a duration as people do: seconds up to two minutes, then minutes.
func (c *catalogue) wait(lang string, d time.Duration) string {
	seconds := int((d + time.Second - 1) / time.Second)
	switch {
	case seconds <= 1:
		return c.text(lang, "time.second")
	case seconds < 120:
		return c.text(lang, "time.seconds", seconds)
	}
	return c.text(lang, "time.minutes", (seconds+59)/60)
}
