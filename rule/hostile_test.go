package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"os"

	"go.yaml.in/yaml/v3"

	"mayfly/profile"
	"mayfly/rule/hostile"
	"mayfly/trace"
)

// hostileValues are the hostile values as items have them.
func hostileValues() []string {
	var out []string
	for _, value := range hostile.Values() {
		out = append(out, profile.NewItem(profile.Exec, value).Value)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// hostilePods is hostileSet in pods whose labels were chosen by the same hand.
func hostilePods(t testing.TB, name string) *Set {
	s := hostileSet(t, name)
	w := &profile.Workload{}
	labels := []string{"app=web", "io.kubernetes.container.name=web"}
	for _, value := range hostile.Values()[:70] { // a profile keeps 256 labels
		labels = append(labels, value, "a="+value, value+"=b")
	}
	w.Declare(&trace.Container{Image: name, PodNamespace: "shop", Labels: labels, Entrypoint: []string{"/x\" rwk,\n  /y"}})
	s.Declared = w.Declared
	s.Scripts = append(s.Scripts, hostileValues()...)
	return s
}

// TestHostileFiles looks at every target's file as a reader and a parser of its
// syntax do: nothing in it is hidden from the eye, comments are comments, and the
// documents are those of a harmless set.
func TestHostileFiles(t *testing.T) {
	for _, name := range []string{"nginx", "x\n# y: {z", "\u202e\"%proc.name,'"} {
		s := hostilePods(t, name)
		s.Images = []string{name}
		s.Risks = hostileValues()[:50]
		for _, target := range targets {
			text, err := target.render(s)
			if err != nil {
				t.Errorf("%s: %v", target.name, err)
				continue
			}
			if i := bytes.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%s: %q: a character that is not seen", target.name, text[max(i-40, 0):min(i+20, len(text))])
			}
			for line := range bytes.Lines(text) {
				if _, comment, ok := bytes.Cut(line, []byte("# ")); ok && bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) && bytes.ContainsFunc(comment, func(r rune) bool { return r > '~' }) {
					t.Errorf("%s: a comment with more than ASCII: %q", target.name, line)
				}
			}
			if strings.HasSuffix(target.ext, "ml") {
				if got, want := len(documentsOf(t, text)), map[string]int{"kubearmor": 2, "sigma": 4}[target.name]; got != max(want, 1) {
					t.Errorf("%s: %d documents, want %d", target.name, got, max(want, 1))
				}
			}
			if target.ext == ".json" && !json.Valid(text) {
				t.Errorf("%s: not JSON", target.name)
			}
		}
	}
}

// documentsOf parses YAML documents.
func documentsOf(t testing.TB, text []byte) (docs []any) {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatalf("%v\n%.3000s", err, text)
		}
		docs = append(docs, doc)
	}
}

// dig walks a document by keys and indexes.
func dig(t testing.TB, doc any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			doc = doc.(map[string]any)[step]
		case int:
			doc = doc.([]any)[step]
		}
	}
	return doc
}

// strs says which values are in a list of scalars.
func strs(list any, key string) map[string]bool {
	out := map[string]bool{}
	for _, value := range list.([]any) {
		if key != "" {
			value = value.(map[string]any)[key]
		}
		out[value.(string)] = true
	}
	return out
}

func TestHostileTetragon(t *testing.T) {
	text, err := hostilePods(t, "nginx").Tetragon()
	if err != nil {
		t.Fatal(err)
	}
	docs := documentsOf(t, text)
	if len(docs) != 1 {
		t.Fatalf("%d documents, want 1", len(docs))
	}
	got := strs(dig(t, docs[0], "spec", "kprobes", 0, "selectors", 0, "matchArgs", 0, "values"), "")
	for _, value := range hostileValues() {
		if want := len(value) <= 255 && !strings.Contains(value, "\x00"); got[value] != want {
			t.Errorf("%.80q is in the policy: %v, want %v", value, got[value], want)
		}
	}
}

func TestHostileKubeArmor(t *testing.T) {
	text, err := hostilePods(t, "nginx").KubeArmor()
	if err != nil {
		t.Fatal(err)
	}
	docs := documentsOf(t, text)
	if len(docs) != 2 {
		t.Fatalf("%d documents, want 2", len(docs))
	}
	for path := range strs(dig(t, docs[0], "spec", "process", "matchPaths"), "path") {
		if !regexp.MustCompile(`^/[A-Za-z0-9/._+:=-]*[^/]$`).MatchString(path) {
			t.Errorf("path %q, which means something to AppArmor", path)
		}
	}
	labels := dig(t, docs[0], "spec", "selector", "matchLabels").(map[string]any)
	if labels["app"] != "web" || labels["kubearmor.io/container.name"] != "web" {
		t.Errorf("labels %v, want app and the container's name among them", labels)
	}
	for key, value := range labels {
		if !labelKey.MatchString(key) || !labelValue.MatchString(value.(string)) {
			t.Errorf("label %q=%q is none", key, value)
		}
	}
}

// TestHostileSigma: an expression matches its own value and no other.
func TestHostileSigma(t *testing.T) {
	text, err := hostilePods(t, "nginx").Sigma()
	if err != nil {
		t.Fatal(err)
	}
	values := hostileValues()
	matched := map[string]int{}
	for _, e := range dig(t, documentsOf(t, text)[0], "detection", "known", "Image|re").([]any) {
		re, err := regexp.Compile(e.(string))
		if err != nil {
			t.Errorf("%.100q: %v", e, err)
			continue
		}
		n := 0
		for _, value := range values {
			if re.MatchString(value) {
				matched[value]++
				n++
			}
		}
		if n != 1 {
			t.Errorf("%.100q matches %d values, want 1", e, n)
		}
	}
	for _, value := range values {
		if matched[value] != 1 {
			t.Errorf("%.100q is matched %d times, want once", value, matched[value])
		}
	}
}

// TestHostileAppArmor reads the profile back with apparmor_parser: it has each path
// that a profile can hold, as one entry with nothing special in it.
func TestHostileAppArmor(t *testing.T) {
	parser := apparmorParser(t)
	s := hostilePods(t, "nginx")
	text, err := s.AppArmor()
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]string{}
	for _, part := range strings.Split(parser(t, text, "-d"), "\nMode:\t")[1:] {
		mode, name, _ := strings.Cut(part, ":")
		_, name, _ = strings.Cut(name, "\tName:\t(")
		name, _, _ = strings.Cut(name, ")\n\tlink:")
		name, _, _ = strings.Cut(name, ")\nunix ") // behind the last one
		entries[strings.TrimSuffix(name, ")")] += mode
	}
	in := 0
	for _, value := range hostileValues() {
		q, ok := apparmorQuote(value)
		if !ok {
			continue
		}
		in++
		// What the parser keeps of the quoting is what a pattern needs.
		name := regexp.MustCompile(`\\[0-7]{3}`).ReplaceAllStringFunc(q, func(esc string) string {
			n := int(esc[1]-'0')<<6 | int(esc[2]-'0')<<3 | int(esc[3]-'0')
			if n == '\\' {
				return `\\`
			}
			return string([]byte{byte(n)})
		})
		if !strings.Contains(entries[name], "x") {
			t.Errorf("%q: no entry with x: %q", value, name)
		}
		delete(entries, name)
	}
	for name, mode := range entries {
		if strings.Contains(mode, "x") && strings.ContainsAny(name, "*?[{") && !strings.Contains(name, `\`) {
			t.Errorf("a pattern may be executed: %q %s", name, mode)
		}
	}
	t.Logf("%d of %d values are in the profile", in, len(hostileValues()))
	if in < 300 {
		t.Errorf("only %d values are in the profile", in)
	}
}

// apparmorParser compiles a profile, without a kernel that has AppArmor, and
// returns what the parser prints.
func apparmorParser(t *testing.T) func(t *testing.T, text []byte, args ...string) string {
	if _, err := exec.LookPath("apparmor_parser"); err != nil {
		cannot(t, "apparmor_parser is not installed")
	}
	return func(t *testing.T, text []byte, args ...string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "profile")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("apparmor_parser", append([]string{"--skip-kernel-load", "--skip-cache"}, append(args, path)...)...).CombinedOutput()
		if err != nil {
			t.Errorf("apparmor_parser: %v\n%.3000s", err, out)
		}
		return string(out)
	}
}

func TestAppArmorCompiles(t *testing.T) {
	parser := apparmorParser(t)
	for _, s := range []*Set{k8sSet(t, "nginx", webItems), hostilePods(t, "a/b"), mustBuild(t, workload("bare", []string{"exec /x"}), nil, Options{})} {
		for _, audit := range []bool{false, true} {
			s.Audit = audit
			text, err := s.AppArmor()
			if err != nil {
				t.Fatal(err)
			}
			var parseOnly []string
			if s.Workload == "a/b" {
				parseOnly = []string{"-d"} // its automaton takes 20 s
			}
			parser(t, text, parseOnly...)
			if audit && bytes.Contains(text, []byte("deny ")) {
				t.Error("a deny rule in a profile that only complains: it would bind there too")
			}
		}
	}
	// What is no profile must not pass.
	bad := exec.Command("apparmor_parser", "--skip-kernel-load", "--skip-cache")
	bad.Stdin = strings.NewReader("profile x { /y zz, }")
	if bad.Run() == nil {
		t.Error("the parser takes a mode that does not exist")
	}
}
