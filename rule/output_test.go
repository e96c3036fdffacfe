package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/profile"
)

func TestRenderAndWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	sets := []*Set{mustBuild(t, workload("a/b", webItems), nil, Options{}), mustBuild(t, workload(profile.Unknown, webItems), nil, Options{Force: true})}
	files, refusals, err := Render(dir, sets, DefaultTargets)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 || len(refusals) != 1 || !strings.Contains(refusals[0].Error(), "falco: its image is not known") {
		t.Fatalf("got %d files, refusals %v", len(files), refusals)
	}
	if err := WriteFiles(files); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f.Path); err != nil || len(text) != f.Bytes {
			t.Errorf("%s: %d bytes, %v; want %d", f.Path, len(text), err, f.Bytes)
		}
		if rel, err := filepath.Rel(dir, f.Path); err != nil || strings.HasPrefix(rel, "..") || strings.Count(rel, "/") != 1 {
			t.Errorf("%s: not where it should be", f.Path)
		}
	}
	if _, _, err := Render(dir, append(sets, sets[0]), DefaultTargets); err == nil {
		t.Error("two workloads in one file")
	}
	if _, _, err := Render(dir, sets, []string{"sgima"}); err == nil {
		t.Error("a target that is not known")
	}
}

// TestWriteFailureLeavesNothing has the second file in the way of a folder.
func TestWriteFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	files, _, err := Render(dir, []*Set{mustBuild(t, workload("web", webItems), nil, Options{})}, DefaultTargets)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "seccomp"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(files); err == nil || !strings.HasPrefix(err.Error(), "rules: ") {
		t.Errorf("got %v, want an error", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "falco*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestReadFindings(t *testing.T) {
	got, err := ReadFindings(strings.NewReader(`
{"rule":"x","mayfly":{"id":"1","workload":"web","new":["exec /bin/sh","read /a b"]}}

{"mayfly":{"id":"2","workload":"web","new":["exec /bin/sh"]}}
{"mayfly":{"id":"3","workload":"db"}}
`), "f")
	want := map[string][]profile.Item{"web": {{Kind: profile.Exec, Value: "/bin/sh"}, {Kind: profile.Read, Value: "/a b"}}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, test := range []struct{ text, want string }{
		{"x", "f:1: finding: invalid character"},
		{"\n{}", `f:2: not a finding of mayfly: no "mayfly" block`},
		{`{"mayfly":{"id":"1","new":["odd x"]}}`, `f:1: item "odd x": unknown kind`},
		{`{"mayfly":{"id":1}}`, "f:1: finding: "},
		{`{"mayfly":{"id":"` + strings.Repeat("x", maxFindingLine) + `"}}`, "f: a line is longer than"},
	} {
		if _, err := ReadFindings(strings.NewReader(test.text), "f"); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("ReadFindings(%.40q): got %v, want %s", test.text, err, test.want)
		}
	}
}
