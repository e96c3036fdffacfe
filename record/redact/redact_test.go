package redact

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// corpus reads testdata/corpus.jsonl: pairs of lines, an argv and what it becomes.
func corpus(t testing.TB) (pairs [][2][]string) {
	t.Helper()
	f, err := os.Open("testdata/corpus.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if line := strings.TrimSpace(lines.Text()); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var pair [2][]string
		if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
			t.Fatalf("corpus.jsonl:%d: %v", n, err)
		}
		if pair[1] == nil {
			pair[1] = pair[0]
		}
		pairs = append(pairs, pair)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return pairs
}

func defaults(t testing.TB, patterns ...string) *Redactor {
	t.Helper()
	r, err := New(Options{Patterns: patterns})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCorpus holds each command line to what it must become, secrets and innocent ones.
func TestCorpus(t *testing.T) {
	r := defaults(t)
	for _, pair := range corpus(t) {
		given := slices.Clone(pair[0])
		got, changed := r.Argv(given)
		if !slices.Equal(got, pair[1]) {
			t.Errorf("%q\n got %q\nwant %q", pair[0], got, pair[1])
		}
		if !slices.Equal(given, pair[0]) {
			t.Errorf("%q: was changed in place", pair[0])
		}
		differ := 0
		for i := range got {
			if got[i] != pair[0][i] {
				differ++
			}
		}
		if changed != differ {
			t.Errorf("%q: got %d changed words, want %d", pair[0], changed, differ)
		}
	}
}

// TestLong wants long secrets replaced to their end.
func TestLong(t *testing.T) {
	r, long := defaults(t), strings.Repeat("aB3_", 600)
	for _, frame := range [][2]string{
		{"x --password=", ""}, {"password=\"", "\" rest"}, {"x bearer ", " rest"}, {"-----BEGIN PRIVATE KEY-----", "-----END"},
		{"mysql -uroot -p", " shop"}, {"https://u:", "@h/"}, {`{"token":"`, `"}`}, {"eyJ" + long + "." + long + ".", " rest"},
		{strings.Repeat("x ", 300) + "glpat-", " rest"}, {"mysql " + strings.Repeat("-v ", 300) + "-p", " shop"},
	} {
		got, n := r.Argv([]string{"sh", "-c", frame[0] + long + frame[1]})
		if n != 1 || strings.Contains(got[2], "aB3_") || !strings.HasSuffix(got[2], frame[1]) {
			t.Errorf("%.20q…: got %.60q", frame[0], got[2])
		}
	}
}

func TestPatterns(t *testing.T) {
	r := defaults(t, `ACME-[0-9]+`, `badge:(\w+)`, `ed`, `x*`)
	got, n := r.Argv([]string{"go", "--id=ACME-12,ACME-7", "badge:77", "plain", "--password=a", "red"})
	want := []string{"go", "--id=<redacted>,<redacted>", "badge:<redacted>", "plain", "--password=<redacted>", "r<redacted>"}
	if !slices.Equal(got, want) || n != 4 {
		t.Errorf("got %q, %d; want %q, 4", got, n, want)
	}
	if _, err := New(Options{Patterns: []string{"a", "(b"}}); err == nil || !strings.Contains(err.Error(), `redaction pattern "(b"`) {
		t.Errorf("pattern (b: got error %v, want one that names it", err)
	}
	plain, err := New(Options{NoDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, n := plain.Argv([]string{"mysql", "-psecret"}); n != 0 || got[1] != "-psecret" {
		t.Errorf("without rules: got %q, %d", got, n)
	}
	if got, n := (*Redactor)(nil).Argv([]string{"mysql", "-psecret"}); n != 0 || got[1] != "-psecret" {
		t.Errorf("no redactor: got %q, %d", got, n)
	}
}

// TestPages holds the page that documents the rules to the rules.
func TestPages(t *testing.T) {
	page, err := os.ReadFile("../REDACTION.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range programs {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).Match(page) {
			t.Errorf("REDACTION.md does not name the program %s", name)
		}
	}
}

// FuzzArgv wants the result to be the same when it is redacted again, no longer
// than allowed, and the quick check to be right.
func FuzzArgv(f *testing.F) {
	for _, pair := range corpus(f) {
		f.Add(strings.Join(pair[0], "\x00"), "")
		f.Add(strings.Join(pair[0], "\x00"), `s|e|re`)
	}
	f.Add("mysql\x00-p<redacted>x<redacted>", `<`)
	f.Fuzz(func(t *testing.T, joined, pattern string) {
		if len(joined) > 1<<13 || len(pattern) > 20 { // a user's own pattern may be slow
			return
		}
		var patterns []string
		if pattern != "" {
			patterns = append(patterns, pattern)
		}
		r, err := New(Options{Patterns: patterns})
		if err != nil {
			return
		}
		argv := strings.Split(joined, "\x00")
		given := slices.Clone(argv)
		once, n := r.Argv(argv)
		if !slices.Equal(argv, given) {
			t.Fatalf("%q was changed in place", given)
		}
		if len(once) != len(argv) || n < 0 || n > len(argv) {
			t.Fatalf("%q: got %d words, %d changed", argv, len(once), n)
		}
		if twice, again := r.Argv(once); again != 0 || !slices.Equal(once, twice) {
			t.Fatalf("%q, pattern %q:\n once %q\ntwice %q", argv, pattern, once, twice)
		}
		for i := range once {
			if len(once[i]) > 6*len(argv[i])+len(Mark) {
				t.Fatalf("%q became %q", argv[i], once[i])
			}
			if !maybe(argv[i]) {
				if text, next := assignment(argv[i]); next || text != argv[i] || len(find(text)) > 0 {
					t.Fatalf("%q: the quick check says no, a rule says %v", argv[i], find(text))
				}
			}
		}
	})
}

func BenchmarkArgv(b *testing.B) {
	r := defaults(b)
	for name, argv := range map[string][]string{
		"plain": {"/usr/sbin/nginx", "-g", "daemon off;", "-c", "/etc/nginx/nginx.conf", "--with-threads", "worker=4"},
		"shell": {"/bin/sh", "-c", "while read line; do echo $line | sed -e s/a/b/ >> /var/log/app.log; done < /tmp/in"},
		"worst": {"sh", "-c", strings.Repeat("curl mysql --token= pass:\" ://a:", 125)},
		"found": {"/usr/bin/mysql", "-u", "root", "-phunter2", "--password=hunter2", "shop"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Argv(argv)
			}
		})
	}
}
