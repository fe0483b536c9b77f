package verify_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// source is the package as it is written.
type source struct {
	set   *token.FileSet
	files map[string]*ast.File
}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{set: token.NewFileSet(), files: map[string]*ast.File{}}
	list, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range list {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			f, err := parser.ParseFile(s.set, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			s.files[name] = f
		}
	}
	require.Greater(t, len(s.files), 30)
	return s
}

// calls gives every call with the names of the function called and of the one it
// stands in.
func (s *source) calls(do func(in, called string, c *ast.CallExpr)) {
	for _, f := range s.files {
		for _, d := range f.Decls {
			in := ""
			if fd, ok := d.(*ast.FuncDecl); ok {
				in = fd.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok {
					switch fun := c.Fun.(type) {
					case *ast.Ident:
						do(in, fun.Name, c)
					case *ast.SelectorExpr:
						name := fun.Sel.Name
						if x, ok := fun.X.(*ast.Ident); ok && (x.Name == "errors" || x.Name == "fmt") {
							name = x.Name + "." + name
						}
						do(in, "."+name, c)
					}
				}
				return true
			})
		}
	}
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// speaking are the functions that make phrases, and those of them that hand on a
// format which they were given.
var (
	speaking = []string{"say", "modified", ".other", ".more", ".setUp"}
	handing  = []string{"join", "weigh", "other", "more", "setUp"}
)

// phrasesOf gives all formats, with a place of each.
func (s *source) phrasesOf(t *testing.T) map[string]string {
	out := map[string]string{}
	s.calls(func(in, called string, c *ast.CallExpr) {
		if !slices.Contains(speaking, called) {
			return
		}
		at := s.set.Position(c.Pos()).String()
		format, ok := literal(c.Args[0])
		if !ok {
			require.Contains(t, handing, in, "%s: a format that is no literal has no translation", at)
			return
		}
		out[format] = at
		require.Len(t, c.Args, 1+len(verbs(format)), at)
		for _, arg := range c.Args[1:] {
			if text, ok := literal(arg); ok {
				require.NotContains(t, text, " ", "%s: words that go in are phrases", at)
			}
		}
	})
	require.Greater(t, len(out), 300)
	return out
}

// translations gives the entries of the catalogue by their keys.
func (s *source) translations(t *testing.T) map[string]string {
	out := map[string]string{}
	for name, f := range s.files {
		if !strings.HasPrefix(name, "indonesian") {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			pair, ok := n.(*ast.CompositeLit)
			if !ok || pair.Type != nil || len(pair.Elts) != 2 {
				return true
			}
			key, ok1 := literal(pair.Elts[0])
			text, ok2 := literal(pair.Elts[1])
			require.True(t, ok1 && ok2, s.set.Position(pair.Pos()))
			require.NotContains(t, out, key, s.set.Position(pair.Pos()))
			out[key] = text
			return false
		})
	}
	return out
}

var verbPattern = regexp.MustCompile(`%(?:\[(\d+)\])?([-+# 0]*[\d.]*[a-zA-Z%])`)

// verbs gives what a format does with each of its arguments, in their order.
func verbs(format string) []string {
	var out []string
	next := 1
	for _, m := range verbPattern.FindAllStringSubmatch(format, -1) {
		if m[2] == "%" {
			continue
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
		}
		for len(out) < next {
			out = append(out, "")
		}
		out[next-1] += m[2]
		next++
	}
	return out
}

func TestVerbs(t *testing.T) {
	require.Equal(t, []string{"s", "d", ".16s"}, verbs("%s %d %% %.16s"))
	require.Equal(t, []string{"s", "d"}, verbs("%[2]d %[1]s"))
	require.Equal(t, []string{"ss"}, verbs("%[1]s %[1]s"))
	require.Empty(t, verbs("100 %%"))
}

// wordless tells formats without words, which are the same in every language.
func wordless(format string) bool {
	return !strings.ContainsFunc(verbPattern.ReplaceAllString(format, ""), unicode.IsLetter)
}

// TestCatalogue: everything that is said has an Indonesian translation that uses the
// same arguments in the same manner, and there is no translation of what nobody says.
func TestCatalogue(t *testing.T) {
	s := readSource(t)
	said, known := s.phrasesOf(t), s.translations(t)
	same := []string{"a stream"} // the word that Indonesian programmers use
	for format, at := range said {
		text, ok := known[format]
		if wordless(format) {
			require.False(t, ok, "%s: %q needs no translation", at, format)
			continue
		}
		if !ok {
			t.Errorf("%s: no translation of %q", at, format)
			continue
		}
		require.Equal(t, verbs(format), verbs(text), "%s: %q", at, text)
		require.False(t, wordless(text), at)
		require.True(t, slices.Contains(same, format) || format != text, at)
		for _, edge := range []func(string) bool{
			func(s string) bool { return strings.HasPrefix(s, " ") }, func(s string) bool { return strings.HasSuffix(s, " ") },
		} {
			require.Equal(t, edge(format), edge(text), "%s: %q", at, text)
		}
		require.NotContains(t, text, "  ")
		require.NotContains(t, text, "${")
		for _, r := range text {
			require.True(t, unicode.IsPrint(r), "%q", text)
		}
	}
	for format := range known {
		require.Contains(t, said, format, "nobody says this")
	}
}

// TestReasonsArePhrases: no reason is made past the catalogue.
func TestReasonsArePhrases(t *testing.T) {
	s := readSource(t)
	for name, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok {
				return true
			}
			for _, l := range a.Lhs {
				sel, ok := l.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Reasons" && sel.Sel.Name != "Statement" {
					continue
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "v" {
					continue // of Limits
				}
				require.Contains(t, []string{"report.go", "seal.go"}, name, s.set.Position(a.Pos()))
			}
			return true
		})
	}
	// Errors that can become a reason are phrases. These cannot.
	other := []string{"enough", "the document needs no repair", "neither PEM nor base64"}
	s.calls(func(_, called string, c *ast.CallExpr) {
		if called != ".errors.New" && called != ".fmt.Errorf" {
			return
		}
		text, ok := literal(c.Args[0])
		require.True(t, ok && (strings.HasPrefix(text, "verify: ") || slices.Contains(other, text)), s.set.Position(c.Pos()))
	})
}
