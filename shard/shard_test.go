package shard

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Spec{"0/1": {0, 1}, "3/16": {3, 16}, "99999/100000": {99999, 100000}} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: got %v and error %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "3", "/", "3/", "/3", "16/16", "-1/16", "0/0", "0/-1", "1/2/3", "a/b", "0/100001", " 0/1"} {
		if got, err := Parse(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

// Every unit is one part's, and no part has two more than another.
func TestHasPartsEvenly(t *testing.T) {
	for count := 1; count < 9; count++ {
		for units := range 30 {
			least, most := units, 0
			owners := make([]int, units)
			for i := range count {
				n := 0
				for u := range units {
					if (Spec{i, count}).Has(u) {
						owners[u]++
						n++
					}
				}
				least, most = min(least, n), max(most, n)
			}
			for u, n := range owners {
				if n != 1 {
					t.Fatalf("unit %d of %d is that of %d parts of %d", u, units, n, count)
				}
			}
			if most-least > 1 {
				t.Fatalf("%d units in %d parts: %d to %d each", units, count, least, most)
			}
		}
	}
}

func write(t *testing.T, dir string, m Member) {
	t.Helper()
	for _, out := range m.Outputs {
		if err := os.WriteFile(filepath.Join(dir, out.Name), []byte(m.Spec().Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
}

func part(i, n int) Member {
	spec := Spec{i, n}
	return Member{Mayfly: "v", Stage: "ingest", Index: i, Count: n, Work: json.RawMessage(`{"a": 1}`), State: json.RawMessage(`{}`),
		Outputs: []File{{Name: spec.Name() + ".out"}}}
}

func TestOpenWantsAllPartsOfOneWork(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(m *Member, dir string) // of part 1; nil m: after all were written
		want   string
	}{
		{"complete", nil, ""},
		{"another work", func(m *Member, _ string) { m.Work = json.RawMessage(`{"a":2}`) }, "options or inputs"},
		{"another version", func(m *Member, _ string) { m.Mayfly = "w" }, "version of mayfly"},
		{"another command", func(m *Member, _ string) { m.Stage = "train" }, "command"},
		{"another number", func(m *Member, _ string) { *m = part(3, 4) }, "number of shards"},
	} {
		dir := t.TempDir()
		for i := range 3 {
			m := part(i, 3)
			if tc.change != nil && i == 1 {
				tc.change(&m, dir)
			}
			write(t, dir, m)
		}
		members, err := Open(dir)
		if tc.want == "" && (err != nil || len(members) != 3 || members[2].Index != 2) {
			t.Errorf("%s: %d members, error %v", tc.name, len(members), err)
		}
		if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: got error %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

func TestOpenRefusesWhatIsNotThereOrChanged(t *testing.T) {
	full := func() string {
		dir := filepath.Join(t.TempDir(), "a[b]*") // no pattern
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			write(t, dir, part(i, 2))
		}
		return dir
	}
	out := part(1, 2).Outputs[0].Name
	for _, tc := range []struct {
		name   string
		change func(dir string) error
		want   string
	}{
		{"a part is missing", func(dir string) error { return os.Remove(filepath.Join(dir, Spec{1, 2}.Name()+".json")) }, "1 of 2 shards are not done, the first is 1/2"},
		{"an output is missing", func(dir string) error { return os.Remove(filepath.Join(dir, out)) }, out + " is missing"},
		{"an output changed", func(dir string) error { return os.WriteFile(filepath.Join(dir, out), []byte("x"), 0o600) }, "is not what"},
		{"a member has another's name", func(dir string) error {
			return os.Rename(filepath.Join(dir, Spec{1, 2}.Name()+".json"), filepath.Join(dir, "shard-x-of-y.json"))
		}, "which has the name"},
		{"nothing", func(dir string) error { return os.RemoveAll(dir) }, "no such file"},
	} {
		dir := full()
		if _, err := Open(dir); err != nil {
			t.Fatal(err)
		}
		if err := tc.change(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got error %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

func TestWriteTwiceGivesTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	var contents [2]string
	for i := range contents {
		write(t, dir, part(0, 1))
		b, err := os.ReadFile(filepath.Join(dir, "shard-00000-of-00001.json"))
		if err != nil {
			t.Fatal(err)
		}
		contents[i] = string(b)
	}
	if contents[0] != contents[1] {
		t.Errorf("got\n%s\nthen\n%s", contents[0], contents[1])
	}
}

// FuzzDecode holds that no member names a file outside of its folder.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":"mayfly shard","version":1,"index":0,"count":1,"outputs":[{"name":"a"}]}`))
	f.Add([]byte(`{"format":"mayfly shard","version":1,"index":0,"count":1,"outputs":[{"name":"../a"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := decode(content)
		if err != nil {
			return
		}
		for i := range m.Outputs {
			if filepath.Dir(m.Path("d", i)) != "d" {
				t.Errorf("output %q lies at %s", m.Outputs[i].Name, m.Path("d", i))
			}
		}
	})
}
