package replay

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/detector"
	"mayfly/trace"
)

// tree reads all files below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[rel] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPlans: each finding has a plan, the same one from the same input, whose sums
// are right, and whose evidence is a trace of the container alone.
func TestPlans(t *testing.T) {
	f, d, traces := attacked(t)
	var before map[string]string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "plans")
		r := responses{dir: dir, d: d, traces: traces}
		for range 2 { // the second run finds the plan in its place
			if err := r.add(context.Background(), f); err != nil {
				t.Fatal(err)
			}
			if err := r.commit(); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != f.Mayfly.ID {
			t.Fatalf("%v, %v: want %s alone", entries, err, f.Mayfly.ID)
		}
		now := tree(t, dir)
		if before != nil && !cmp.Equal(before, now) {
			t.Errorf("two runs, two plans:\n%s", cmp.Diff(before, now))
		}
		before = now
		plan := filepath.Join(dir, f.Mayfly.ID)
		check := exec.Command("sha256sum", "-c", "--strict", "SHA256SUMS")
		check.Dir = plan
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("sha256sum: %v\n%s", err, out)
		}
		tr, err := trace.Open(filepath.Join(plan, "evidence", "trace"))
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for row, err := range trace.Merge(context.Background(), tr) {
			if err != nil {
				t.Fatal(err)
			}
			if row.Event != nil && row.Event.ContainerID(row.Index) != f.Mayfly.ContainerID {
				t.Fatal("a row of another container")
			}
			rows++
		}
		if rows == 0 {
			t.Error("no rows")
		}
	}
}

// TestPlanDiscarded leaves nothing behind of a run that failed.
func TestPlanDiscarded(t *testing.T) {
	f, d, traces := attacked(t)
	r := responses{dir: filepath.Join(t.TempDir(), "plans"), d: d, traces: traces}
	if err := r.add(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	if err := r.discard(); err != nil {
		t.Fatal(err)
	}
	if left := tree(t, r.dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestPlansOfHostileContainers: names that an attacker chose are no words of a
// command, nor markup.
func TestPlansOfHostileContainers(t *testing.T) {
	const evil = "x'; touch pwned #`$(touch pwned)\n- [a](javascript:b)"
	f := &detector.Finding{Hostname: evil, Mayfly: detector.Detail{ID: "0f", ContainerID: strings.Repeat("ab", 32), Workload: evil}}
	story, err := Explain(context.Background(), f, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		of   trace.Container
		want string // in the scripts; "": there are none
	}{
		"pod":       {trace.Container{ContainerID: f.Mayfly.ContainerID, Runtime: "containerd", Pod: "web-1", PodNamespace: "prod"}, "'web-1'"},
		"evil pod":  {trace.Container{ContainerID: f.Mayfly.ContainerID, Runtime: "containerd", Pod: evil, PodNamespace: "prod"}, "tasks pause"},
		"evil ns":   {trace.Container{ContainerID: f.Mayfly.ContainerID, Runtime: "docker", Pod: "web-1", PodNamespace: evil}, "docker pause"},
		"evil id":   {trace.Container{ContainerID: evil, Runtime: "docker"}, ""},
		"evil path": {trace.Container{ContainerID: f.Mayfly.ContainerID, CgroupPath: "/a/../" + evil}, ""},
		"cgroup":    {trace.Container{ContainerID: f.Mayfly.ContainerID, CgroupPath: "/kubepods/pod1/x"}, "echo 1 > '/sys/fs/cgroup/kubepods/pod1/x/cgroup.freeze'"},
	} {
		files, err := responseFiles(f, story, c.of, 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		scripts := ""
		for _, file := range files {
			if strings.HasSuffix(file.name, ".sh") {
				scripts += string(file.content)
			}
			if file.name == "README.md" {
				for line := range strings.Lines(string(file.content)) {
					if strings.Contains(line, "javascript") && !strings.HasPrefix(line, "    ") && strings.ContainsAny(line, "[]") {
						t.Errorf("%s: markup in README.md: %s", name, line)
					}
				}
			}
		}
		if strings.Contains(scripts, "pwned") || c.want == "" && scripts != "" || !strings.Contains(scripts, c.want) {
			t.Errorf("%s: want %q in\n%s", name, c.want, scripts)
		}
		dir := t.TempDir()
		check := exec.Command("sh", "-n")
		check.Stdin, check.Dir = strings.NewReader(scripts), dir
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestQuoteShell(t *testing.T) {
	for _, s := range []string{"", "a b", "it's", "$(x)`y`", "a\nb", `\'"`} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoteShell(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q: %q, %v", s, out, err)
		}
	}
}
