package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// The keys of a seal trust file. They are exact: encoding/json would take
// another case, and of a repeated key the last, so that two readers of one file
// could see two lists.
var (
	listKeys  = []string{"entries"}
	entryKeys = []string{"name", "public_key", "algorithm", "issuers", "epochs", "not_before", "not_after",
		"currency", "specimen", "certificates", "revoked", "revoked_at", "list_keys"}
)

// ParseSealTrust reads a seal trust file: a JSON object {"entries":[...]} of
// [SealTrustEntry]. Unknown keys, keys in another case, repeated keys, trailing
// data and entries that are incomplete are refused with a *TrustError.
func ParseSealTrust(b []byte) (*SealTrust, error) {
	if len(b) > trustSize {
		return nil, &TrustError{Entry: -1, Reason: fmt.Sprintf("longer than %d bytes", trustSize)}
	}
	var file struct {
		Entries []SealTrustEntry `json:"entries"`
	}
	if err := parseList(b, "", entryKeys, &file); err != nil {
		return nil, err
	}
	return NewSealTrust(file.Entries...)
}

// parseList decodes a file of entries with exactly the known keys.
func parseList(b []byte, list string, known []string, into any) error {
	if err := exactKeys(b, list, known); err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return &TrustError{List: list, Entry: -1, Reason: err.Error()}
	}
	return nil
}

// UnmarshalJSON is [ParseSealTrust]. What t held before is gone, and when it
// fails t is left as it was.
func (t *SealTrust) UnmarshalJSON(b []byte) error {
	fresh, err := ParseSealTrust(b)
	if err != nil {
		return err
	}
	*t = *fresh
	return nil
}

// exactKeys walks over the tokens of a trust file before it is decoded.
func exactKeys(b []byte, list string, known []string) error {
	w := &keyWalk{dec: json.NewDecoder(bytes.NewReader(b)), list: list, known: known, entry: -1}
	if err := w.object(listKeys); err != nil {
		return err
	}
	if _, err := w.dec.Token(); err != io.EOF {
		return w.fail("", "something stands after the JSON object")
	}
	return nil
}

type keyWalk struct {
	dec   *json.Decoder
	list  string   // what list it is, for errors
	known []string // keys of an entry
	entry int      // the entry that is read, -1 outside
}

func (w *keyWalk) fail(field, reason string) error {
	return &TrustError{List: w.list, Entry: w.entry, Field: cleanText(field), Reason: reason}
}

func (w *keyWalk) next() (json.Token, error) {
	t, err := w.dec.Token()
	if err != nil {
		return nil, w.fail("", err.Error())
	}
	return t, nil
}

// object reads an object with some of the known keys, each once.
func (w *keyWalk) object(known []string) error {
	if t, err := w.next(); err != nil || t != json.Delim('{') {
		return w.orWanted(err, "", "an object")
	}
	seen := map[string]bool{}
	for w.dec.More() {
		t, err := w.next()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		switch {
		case !slices.Contains(known, key):
			return w.fail(key, "no such key")
		case seen[key]:
			return w.fail(key, "given more than once")
		}
		seen[key] = true
		if err := w.value(key); err != nil {
			return err
		}
	}
	_, err := w.next()
	return err
}

// value reads the value of a key: the entries, or what holds no further keys.
func (w *keyWalk) value(key string) error {
	if key != "entries" {
		var flat any
		if err := w.dec.Decode(&flat); err != nil {
			return w.fail(key, err.Error())
		}
		if flat == nil && key != "certificates" { // which a nil list is written as
			return w.fail(key, "null")
		}
		return nil // what else does not fit the field's type, objects among it, is refused when it is decoded
	}
	if t, err := w.next(); err != nil || t != json.Delim('[') {
		return w.orWanted(err, key, "a list")
	}
	for w.dec.More() {
		if w.entry++; w.entry >= trustEntries {
			return w.fail("", fmt.Sprintf("more than %d entries", trustEntries))
		}
		if err := w.object(w.known); err != nil {
			return err
		}
	}
	w.entry = -1
	_, err := w.next()
	return err
}

func (w *keyWalk) orWanted(err error, key, what string) error {
	if err != nil {
		return err
	}
	return w.fail(key, "wanted: "+what)
}
