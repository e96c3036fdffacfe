package rule

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"mayfly/profile"
	"mayfly/rule/falco"
)

func TestFalcoSchema(t *testing.T) {
	const path = "../../shared/schemas/falco-rules.schema.json"
	if _, err := os.Stat(path); err != nil {
		cannot(t, "no schema of Falco rules beside the repository")
	}
	schema, err := jsonschema.NewCompiler().Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	var texts [][]byte
	for _, s := range []*Set{mustBuild(t, workload("nginx", webItems), nil, Options{}), hostileSet(t, "a/b")} {
		text, err := s.Falco()
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for _, text := range append(texts, liveFiles(t)...) {
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(plain(t, doc)); err != nil {
			t.Errorf("%v\n%.300s", err, text)
		}
	}
}

// liveFiles are the Falco files of TestLiveFits.
func liveFiles(t *testing.T) (texts [][]byte) {
	t.Helper()
	for _, service := range []string{"db", "job", "web"} {
		text, err := os.ReadFile(filepath.Join("testdata", "live-"+service+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func TestSeccompSchema(t *testing.T) {
	const dir = "../../shared/schemas"
	if _, err := os.Stat(dir); err != nil {
		cannot(t, "no schemas beside the repository")
	}
	c := jsonschema.NewCompiler()
	for id, file := range map[string]string{"config-linux.json": "oci-config-linux.json", "defs-linux.json": "oci-defs-linux.json", "defs.json": "oci-defs.json"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("file:///oci/"+id, doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("file:///oci/config-linux.json#/linux/properties/seccomp")
	if err != nil {
		schema, err = c.Compile("file:///oci/config-linux.json#/properties/linux/properties/seccomp")
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := mustBuild(t, workload("nginx", webItems), nil, Options{}).Seccomp()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func plain(t *testing.T, doc any) any {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// unknownTo0293 is what sysdig 0.29.3 (2022) does not know and Falco's engine
// 0.57 does, with what stands in for it when a condition is tried there.
var unknownTo0293 = strings.NewReplacer(
	"proc.is_exe_upper_layer", "proc.is_exe_writable", // libs 0.10, 2023
	"proc.is_exe_from_memfd", "proc.is_exe_writable", // libs 0.12, 2023
	", memfd_create", "", // an event of its own since libs 0.11, 2023
)

// containerLabel is a field of the container plugin (2025).
var containerLabel = regexp.MustCompile(`container\.label\[[^]]+\]`)

// TestSysdigCompiles gives each condition to libsinsp's own compiler, those of
// testdata's live recordings too.
func TestSysdigCompiles(t *testing.T) {
	if _, err := exec.LookPath("sysdig"); err != nil {
		cannot(t, "sysdig is not installed")
	}
	compile := func(cond string) error {
		out, _ := exec.Command("sysdig", "-r", "/dev/null", containerLabel.ReplaceAllString(unknownTo0293.Replace(cond), "container.name")).CombinedOutput()
		if !bytes.Contains(out, []byte("Could not initialize reader")) { // it comes after the filter
			return fmt.Errorf("%s", bytes.TrimSpace(out))
		}
		return nil
	}
	if err := compile("evt.type=open and no.such.field=1"); err == nil {
		t.Fatal("sysdig takes a field that does not exist")
	}
	var texts [][]byte
	for _, s := range []*Set{mustBuild(t, workload("nginx", webItems), []profile.Item{{Kind: profile.Read, Value: "/x/<n>"}, {Kind: profile.Exec, Value: "/usr/bin/dash"},
		{Kind: profile.Connect, Value: "inet6:[::1]:9"}}, Options{}), hostileSet(t, "a/b"), k8sSet(t, "nginx", webItems), cidrSet(t), mustBuild(t, workload("bare", []string{"call read"}), nil, Options{})} {
		text, err := s.Falco()
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	for _, text := range append(texts, liveFiles(t)...) {
		for rule, cond := range expand(parseFalco(t, text)) {
			if err := compile(cond); err != nil {
				t.Errorf("%s: %v\n%.2000s", rule, err, cond)
			}
		}
	}
}

// maxRuleLines is how many lines a workload's file may have beside lists and comments.
const maxRuleLines = 30

// ruleLines counts the lines that are no part of a list and no comment.
func ruleLines(text []byte) (n int) {
	list := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "- ") {
			list = strings.HasPrefix(line, "- list:")
		}
		if !list && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			n++
		}
	}
	return n
}

// TestFalcoFits keeps the rules of a workload on a page, and away from what Falco
// warns of.
func TestFalcoFits(t *testing.T) {
	if got := ruleLines([]byte("# c\n- list: a\n  items:\n    - b\n# c\n- macro: d\n  condition: e\n- list: a\n  items: []\n")); got != 2 {
		t.Fatalf("%d lines counted, want 2", got)
	}
	found := []profile.Item{{Kind: profile.Read, Value: "/x/<n>"}, {Kind: profile.Exec, Value: "/usr/bin/dash"}, {Kind: profile.Connect, Value: "inet:10.0.0.5:5432"}}
	for _, s := range []*Set{mustBuild(t, workload("nginx", webItems), found, Options{}), k8sSet(t, "nginx", webItems), cidrSet(t), hostilePods(t, "a/b")} {
		text, err := s.Falco()
		if err != nil {
			t.Fatal(err)
		}
		if got := ruleLines(text); got > maxRuleLines {
			t.Errorf("%s: %d lines of rules, want at most %d", s.Workload, got, maxRuleLines)
		}
		rules := 0
		for _, item := range parseFalco(t, text) {
			if item.Rule == "" {
				continue
			}
			rules++
			if !strings.Contains(item.Condition, "evt.type") || strings.Contains(item.Condition, "evt.dir") || strings.Contains(item.Condition, "<NA>") {
				t.Errorf("%s: %s", item.Rule, item.Condition)
			}
		}
		if rules != 4 {
			t.Errorf("%s: got %d rules, want 4", s.Workload, rules)
		}
	}
}

// TestLiveFits: an hour of eight replicas each of a web server, a database and a job
// runner (bench/live, recorded on 2026-11-29; argument shapes, ancestry and most reads
// are left out of the profiles) makes rules that fit on a page, warn of nothing and
// are refused by nothing.
func TestLiveFits(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "live.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Decode(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Workloads) != 3 {
		t.Fatalf("%d workloads, want 3", len(p.Workloads))
	}
	for i := range p.Workloads {
		s := mustBuild(t, &p.Workloads[i], nil, Options{})
		text, err := s.Falco()
		if err != nil {
			t.Fatal(err)
		}
		lines, all := ruleLines(text), bytes.Count(text, []byte("\n"))
		t.Logf("%s: %d lines of rules, %d in all", s.Workload, lines, all)
		if lines > maxRuleLines || all > 100 {
			t.Errorf("%s: %d lines of rules and %d in all, want at most %d and 100", s.Workload, lines, all, maxRuleLines)
		}
		warnsOfNothing(t, s.Workload, text)
		_, service, _ := strings.Cut(s.Workload, "shop/")
		golden(t, "live-"+service+".yaml", text)
	}
}

// warnsOfNothing complains of what Falco warns of when it loads a file.
func warnsOfNothing(t *testing.T, workload string, text []byte) {
	t.Helper()
	rules, err := falco.Read(falco.Source{Name: "rules.yaml", Content: text})
	if err != nil {
		t.Fatalf("%s: %v", workload, err)
	}
	program, err := rules.Compile()
	if err != nil {
		t.Fatalf("%s: %v", workload, err)
	}
	for _, r := range program.Rules {
		for _, warning := range r.Warnings {
			if strings.Contains(warning, "Falco") || strings.Contains(warning, "never fire") {
				t.Errorf("%s: %s", r.Name, warning)
			}
		}
	}
}

// TestFalcoWarnsOfNothing looks for what Falco warns of when it loads a file: types of
// events that a condition does not name, comparisons with <NA>, lists and macros
// that nothing uses or with names that it does not like. Outputs hold no text that
// came from a recording, in which Falco would read %fields.
func TestFalcoWarnsOfNothing(t *testing.T) {
	found := []profile.Item{{Kind: profile.Read, Value: "/x/<n>"}, {Kind: profile.Exec, Value: "/tmp/%proc.name"}, {Kind: profile.Connect, Value: "inet:192.0.2.1:9"}}
	outputs := map[string]string{}
	for _, s := range []*Set{mustBuild(t, workload("nginx", webItems), found, Options{}), k8sSet(t, "nginx", webItems), cidrSet(t),
		hostileSet(t, "a/b%proc.name"), hostilePods(t, "nginx"), mustBuild(t, workload("bare", []string{"call read"}), nil, Options{})} {
		text, err := s.Falco()
		if err != nil {
			t.Fatal(err)
		}
		warnsOfNothing(t, s.Workload, text)
		items := parseFalco(t, text)
		for _, item := range items {
			if name := item.List + item.Macro; name != "" {
				if !regexp.MustCompile(`^[a-zA-Z]+[a-zA-Z0-9_]*$`).MatchString(name) {
					t.Errorf("%s: name %q", s.Workload, name)
				}
				if !slices.ContainsFunc(items, func(other falcoItem) bool {
					return regexp.MustCompile(`[\s(]` + name + `([\s)]|$)`).MatchString(" " + other.Condition)
				}) {
					t.Errorf("%s: nothing uses %s", s.Workload, name)
				}
			}
			if item.Rule != "" {
				_, kind, _ := strings.Cut(item.Rule, ": ")
				output := strings.TrimSuffix(item.Output, falcoPod)
				if first, ok := outputs[kind]; ok && first != output {
					t.Errorf("%s: %s: output %q, want %q as of any other workload", s.Workload, kind, output, first)
				}
				outputs[kind] = output
			}
		}
	}
}

// cidrSet has peers that are networks.
func cidrSet(t testing.TB) *Set {
	s := mustBuild(t, workload("nginx", webItems), nil, Options{})
	r := s.find(Connect)
	r.Peers = append(r.Peers, Peer{"192.0.2.0/24", 443}, Peer{"2001:db8::/32", 8443})
	return s
}

func cannot(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
