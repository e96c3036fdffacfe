package falco

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

func compile(t testing.TB, content string) *Program {
	t.Helper()
	rules, err := Read(Source{"rules.yaml", []byte(content)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := rules.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConstructs reads the corpus of constructs, and says of each rule what can be
// tried.
func TestConstructs(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "constructs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range compile(t, string(content)).Rules {
		fmt.Fprintf(&b, "%d %s: %s\n", r.Line, r.Name, r.Verdict)
		for _, m := range r.Missing {
			fmt.Fprintf(&b, "\tmissing: %s\n", m)
		}
		for _, w := range r.Warnings {
			fmt.Fprintf(&b, "\twarning: %s\n", w)
		}
	}
	path := filepath.Join("testdata", "constructs.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// write is a condition in prefix form.
func write(e *expr) string {
	switch e.op {
	case opMacro:
		return e.macro
	case opCheck:
		c := e.check
		s := c.field.String() + " " + c.op
		for _, v := range c.values {
			s += fmt.Sprintf(" %q", v.text)
		}
		if c.right != nil {
			s += " " + c.right.String()
		}
		return "[" + s + "]"
	}
	words := []string{map[op]string{opAnd: "and", opOr: "or", opNot: "not"}[e.op]}
	for _, kid := range e.kids {
		words = append(words, write(kid))
	}
	return "(" + strings.Join(words, " ") + ")"
}

var conditions = []struct{ text, want string }{
	{"proc.name=cat", `[proc.name = "cat"]`},
	{"not not proc.name=a", `[proc.name = "a"]`},
	{"not(proc.name=a)", `(not [proc.name = "a"])`},
	{"not (proc.name=a and(proc.name=b or(proc.name=c)))", `(not (and [proc.name = "a"] (or [proc.name = "b"] [proc.name = "c"])))`},
	{"proc.name in(a,b , c)", `[proc.name in "a" "b" "c"]`},
	{"proc.name in ()", `[proc.name in]`},
	{"proc.name in ('a b', \"c(\")", `[proc.name in "a b" "c("]`},
	{"fd.name pmatch (/etc)", `[fd.name pmatch "/etc"]`},
	{"evt.rawres >= -1", `[evt.rawres >= "-1"]`},
	{"proc.name exists and proc.name!=x", `(and [proc.name exists] [proc.name != "x"])`},
	{"proc.aname[2]=x", `[proc.aname[2] = "x"]`},
	{`proc.cmdline contains "a\"b\\ c\n"`, `[proc.cmdline contains "a\"b\\ c\n"]`},
	{`proc.cmdline contains 'it\'s'`, `[proc.cmdline contains "it's"]`},
	{"fd.name glob /a/*/b?", `[fd.name glob "/a/*/b?"]`},
	{"proc.cmdline startswith \"sh -c\"\nor\tproc.name=a", `(or [proc.cmdline startswith "sh -c"] [proc.name = "a"])`},
	{" ( proc.name = a ) ", `[proc.name = "a"]`},
	{"evt.type=open and fd.typechar='f'", `(and [evt.type = "open"] [fd.typechar = "f"])`},
}

// newer are conditions that libsinsp reads since it has the grammar of today, which
// Debian's sysdig 0.29.3 has not.
var newer = []struct{ text, want string }{
	{"proc.name == cat", `[proc.name = "cat"]`},
	{"proc.name=cat and fd.name=/x or not evt.type=open", `(or (and [proc.name = "cat"] [fd.name = "/x"]) (not [evt.type = "open"]))`},
	{"proc.name intersects (a)", `[proc.name intersects "a"]`},
	{"evt.rawres<0x10", `[evt.rawres < "0x10"]`},
	{"container.label[\"a b\"]=x", `[container.label[a b] = "x"]`},
	{"a_macro and another1", `(and a_macro another1)`}, // Falco's own
	{"tolower(proc.name)=a", `[tolower(proc.name) = "a"]`},
	{"toupper( basename(proc.exepath) ) in (A)", `[toupper(basename(proc.exepath)) in "A"]`},
	{"proc.name = val(proc.pname)", `[proc.name = proc.pname]`},
	{"proc.name = tolower(proc.pname)", `[proc.name = tolower(proc.pname)]`},
	{"fd.name regex '.*[0-9]'", `[fd.name regex ".*[0-9]"]`},
}

func TestParse(t *testing.T) {
	for _, c := range append(conditions, newer...) {
		e, err := parseCondition(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if got := write(e); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

var wrong = []struct{ text, want string }{
	{"", "want a parenthesis, a field or a macro, got the end"},
	{"proc.name", "field proc.name: want an operator, got the end"},
	{"proc.name = a b", `want and, or, or the end, got "b"`},
	{"(proc.name = a", "want ), got the end"},
	{"proc.name = a)", `want and, or, or the end, got ")"`},
	{"proc.name in a", `field proc.name in: want a list in parentheses, got "a"`},
	{"proc.name in (a b)", `field proc.name in: want , or ), got "b)"`},
	{"proc.name = \"a", `string without its closing ": "\"a"`},
	{"evt.rawres > x", `field evt.rawres: want a number, got "x"`},
	{"proc.aname[2=x", `field proc.aname: want ], got the end`},
	{"a orb", `want a blank or ( behind or, got "b"`},
	{"tolower(x) = a", `tolower(: want a field, got "x) = a"`},
	{strings.Repeat("(", 600), "nested more than 500 deep"},
}

// wrongToday was taken by the grammar of before.
var wrongToday = []struct{ text, want string }{
	{"proc.name = ", "field proc.name =: want a value, got the end"},
	{"proc.name in (a,)", `want a value behind a comma, got ")"`},
	{`proc.name = "a\\"`, `string without its closing ": "\"a\\\\\""`},
	{`proc.name = "a\q"`, `escape "\\q" in a string, which Falco does not know`},
	{"proc.name containsx", `field proc.name: want an operator, got "containsx"`},
}

func TestParseErrors(t *testing.T) {
	for _, c := range append(wrong, wrongToday...) {
		e, err := parseCondition(c.text)
		if err == nil {
			t.Errorf("%s: no error, but %s", c.text, write(e))
		} else if err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestGrammarOfSysdig asks libsinsp, as Debian's sysdig has it, about the same
// conditions.
func TestGrammarOfSysdig(t *testing.T) {
	sysdig, err := exec.LookPath("sysdig")
	if err != nil {
		if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
			t.Fatal(err)
		}
		t.Skip("sysdig is not installed")
	}
	accepts := func(condition string) bool {
		out, _ := exec.Command(sysdig, "-r", os.DevNull, condition).CombinedOutput()
		return strings.Contains(string(out), "Could not initialize reader") // which comes after the filter
	}
	for _, c := range conditions {
		if !accepts(c.text) {
			t.Errorf("%s: sysdig refuses it", c.text)
		}
	}
	for _, c := range wrong {
		if c.text != "" && accepts(c.text) {
			t.Errorf("%.40s: sysdig takes it", c.text)
		}
	}
}
