package falco

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const spawned = "- macro: spawned\n  condition: evt.type=execve\n"

func ruleOf(condition string) string {
	return "- rule: R\n  desc: d\n  condition: " + condition + "\n  output: o\n  priority: INFO\n"
}

// TestErrors: what Falco refuses is one line with file and line.
func TestErrors(t *testing.T) {
	loop := "- {macro: a, condition: b}\n- {macro: b, condition: a}\n"
	for _, c := range []struct{ content, want string }{
		{"a: [", "rules.yaml: line 1: did not find expected node content"},
		{"rule: x", "rules.yaml:1: no list of rules, macros and lists"},
		{"- x", "rules.yaml:1: want a mapping with rule, macro, list or required_engine_version"},
		{"- {a: b}", "rules.yaml:1: no rule, macro, list, required_engine_version or required_plugin_versions in it"},
		{"\n\n- rule: R\n  desc: d", `rules.yaml:3: rule "R": no condition`},
		{"- rule: R\n  condition: a", `rules.yaml:1: rule "R": no output`},
		{strings.Replace(ruleOf("a.b=c"), "INFO", "HIGH", 1), `rules.yaml:5: rule "R": priority "HIGH" is none of Falco's`},
		{ruleOf("evt.type="), `rules.yaml:3: rule "R": condition: field evt.type =: want a value, got the end`},
		{ruleOf("|\n    evt.type=open\n    and fd.name\n"), `rules.yaml:6: rule "R": condition: field fd.name: want an operator, got the end`},
		{ruleOf("unheard_of"), `rules.yaml:3: rule "R": condition: no macro "unheard_of"`},
		{spawned + "- {macro: m, condition: spawned and late}\n- {macro: late, condition: spawned}", `rules.yaml:3: macro "m": condition: macro "late" is defined later only`},
		{loop, `rules.yaml:1: macro "a": condition: macro "b" is defined later only`},
		{"- {macro: a, condition: a.b=c}\n- {macro: b, condition: a}\n- {macro: a, condition: or b, append: true}", `rules.yaml:1: macro "a": condition: macro "a" leads back to itself`},
		{"- {macro: 9, condition: a.b=c}", `rules.yaml:1: macro "9": no name for a macro`},
		{"- {list: 'a b', items: []}", `rules.yaml:1: list "a b": no name for a list`},
		{"- list: l", `rules.yaml:1: list "l": no items`},
		{"- {list: l, items: [[a]]}", `rules.yaml:1: list "l": items: want text`},
		{"- {list: l, append: true, items: [a]}", `rules.yaml:1: list "l": nothing of this name to append`},
		{"- {macro: m, append: true, condition: a.b=c}", `rules.yaml:1: macro "m": nothing of this name to append`},
		{"- {rule: r, append: true, condition: a.b=c}", `rules.yaml:1: rule "r": nothing of this name to change`},
		{"- {rule: r, enabled: true}", `rules.yaml:1: rule "r": nothing of this name to switch`},
		{ruleOf("a.b=c") + "- {rule: R, append: true, condition: x, override: {condition: append}}", `rules.yaml:6: rule "R": append and override, want one of them`},
		{ruleOf("a.b=c") + "- {rule: R, condition: x, override: {condition: prepend}}", `rules.yaml:6: rule "R": override: condition: got "prepend", want append or replace`},
		{ruleOf("a.b=c") + "- {rule: R, condition: x, override: {output: append}}", `rules.yaml:6: rule "R": override: no output to append`},
		{ruleOf("a.b=c") + "- {rule: R, source: x, override: {source: append}}", `rules.yaml:6: rule "R": override: "source" cannot be changed`},
		{"- {list: l, items: [a, b]}\n" + ruleOf("proc.name=l"), `rules.yaml:4: rule "R": condition: list "l" with 2 values behind proc.name =, want one`},
		{"- {list: l, items: ['a)or(evt.num>0']}\n" + ruleOf("proc.name in (l)"),
			`rules.yaml:4: rule "R": condition: rules.yaml:1: item "a)or(evt.num>0" of list "l": Falco puts it into conditions as it is, where it is no value: quote it`},
		{"- {list: a, items: [b]}\n- {list: b, items: [a]}\n" + ruleOf("proc.name in (a)"), `rules.yaml:5: rule "R": condition: list "a" leads back to itself`},
		{ruleOf("a.b=c") + "  exceptions: {}\n", `rules.yaml:6: rule "R": exceptions: want a list`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e}]\n", `rules.yaml:6: rule "R": exception "e": no fields`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e, fields: [a.b, c.d], comps: [=]}]\n", `rules.yaml:6: rule "R": exception "e": 2 fields and 1 comps, want as many`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e, fields: a.b, comps: =}]\n", `rules.yaml:6: rule "R": exception "e": comps of a single field: got "=", want in, pmatch or intersects`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e, fields: [a.b], comps: [like]}]\n", `rules.yaml:6: rule "R": exception "e": comps: "like" is no operator`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e, fields: [a.b, c.d], values: [[x]]}]\n", `rules.yaml:6: rule "R": exception "e": condition: values and fields differ in number`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e, fields: [a.b], values: [[\"x)or(a.b\"]]}]\n",
			`rules.yaml:6: rule "R": exception "e": condition: field a.b: want an operator, got "))"`},
		{ruleOf("a.b=c") + "  exceptions: [{name: e, fields: a.b}, {name: e, fields: a.b}]\n", `rules.yaml:6: rule "R": exception "e" twice`},
		{ruleOf("a.b=c") + "- {rule: R, append: true, exceptions: [{name: e, values: [x]}]}\n", `rules.yaml:6: rule "R": exception "e": no fields, and nothing of this name to append to`},
	} {
		rules, err := Read(Source{"rules.yaml", []byte(c.content)})
		if err == nil {
			_, err = rules.Compile()
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.content, err, c.want)
		}
	}
}

// TestChanges reads several files, of which later ones change the earlier.
func TestChanges(t *testing.T) {
	rules, err := Read(
		Source{"a.yaml", []byte("- &l {list: l, items: [a]}\n" + ruleOf("proc.name in (l) and evt.type=execve") + "  tags: [one]\n---\n")},
		Source{"b.yaml", []byte("- {list: l, append: true, items: [b]}\n- {rule: R, append: true, condition: and proc.pname=c, tags: [two]}\n")},
		Source{"c.yaml", []byte("# nothing but a comment\n")},
		Source{"d.yaml", []byte("- {rule: R, condition: proc.name=z, priority: ERROR, override: {priority: replace}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	x := newExpander(rules)
	e, err := x.condition(rules.Rules[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := write(e), `(and [proc.name in "a" "b"] [evt.type = "execve"] [proc.pname = "c"])`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r := rules.Rules[0]
	if diff := cmp.Diff([]string{"one", "two", "ERROR", "a.yaml"}, append(r.Tags, r.Priority, r.File)); diff != "" {
		t.Error(diff)
	}
}

// TestExceptionText is what Falco makes of exceptions.
func TestExceptionText(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "constructs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := Read(Source{"x", content})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ex := range rules.rules["Below etc"].exceptions {
		cond, _ := ex.condition()
		got = append(got, cond)
	}
	want := []string{
		`((proc.name = nginx and fd.name startswith /etc/nginx) or (proc.name = "two words" and fd.name startswith /etc/hosts))`,
		`((proc.name in (sh, bash) and fd.filename in (passwd, group)) or (proc.name in (shells) and fd.filename in (hosts)))`,
		`fd.name in (/etc/ld.so.cache, "/etc/with blank", /etc/localtime)`,
		`fd.name pmatch (/etc/ssl)`, ``,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDeep: rules that are made to grow without end stay small, and end.
func TestDeep(t *testing.T) {
	var macros, lists strings.Builder
	macros.WriteString("- {macro: m0, condition: evt.type=open}\n")
	lists.WriteString("- {list: l0, items: [a, b]}\n")
	for i := range 60 { // each twice the one before
		fmt.Fprintf(&macros, "- {macro: m%d, condition: m%d and (m%d or proc.name=n%d)}\n", i+1, i, i, i)
		fmt.Fprintf(&lists, "- {list: l%d, items: [l%d, l%d]}\n", i+1, i, i)
	}
	compile(t, macros.String()+ruleOf("m60"))
	for _, content := range []string{lists.String() + ruleOf("proc.name in (l60)"), "- &a [x, x]\n- &b [*a, *a]\n", "- &a\n  list: l\n  items: *a\n"} {
		rules, err := Read(Source{"x", []byte(content)})
		if err == nil {
			_, err = rules.Compile()
		}
		if err == nil {
			t.Errorf("%.60s: no error", content)
		}
	}
	long := "- {macro: m0, condition: evt.type=open}\n"
	for i := range 200 {
		long += fmt.Sprintf("- {macro: m%d, condition: m%d}\n", i+1, i)
	}
	compile(t, long+ruleOf("m200")) // each is checked once it is defined
}

func FuzzCondition(f *testing.F) {
	for _, c := range append(append(conditions, newer...), append(wrong, wrongToday...)...) {
		f.Add(c.text)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		if e, err := parseCondition(text); err == nil {
			_ = write(e)
		}
	})
}

func FuzzRead(f *testing.F) {
	content, err := os.ReadFile(filepath.Join("testdata", "constructs.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(content))
	f.Add(ruleOf("a.b=c"))
	f.Add("- &a [*a]")
	f.Fuzz(func(_ *testing.T, text string) {
		if rules, err := Read(Source{"x", []byte(text)}); err == nil {
			if p, err := rules.Compile(); err == nil {
				_ = NewWatch(p).Scope(web)
			}
		}
	})
}
