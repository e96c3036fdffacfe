package profile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wrote makes a workload of n containers of which each writes the paths that do
// returns, in the first or the second half of the time.
func wrote(n int, do func(container int) (early, late []string)) *Workload {
	b := NewBuilder(BuilderOptions{})
	for c := range n {
		early, late := do(c)
		for half, paths := range [][]string{early, late} {
			var items []Item
			for _, path := range paths {
				items = append(items, Item{Write, Template(path)})
			}
			at := int64(half) * 600
			b.Add(&Window{Workload: "w", Container: fmt.Sprint(c), StartNS: at, EndNS: at + 1, Items: items})
		}
	}
	b.Add(&Window{Workload: "w", Container: "0", StartNS: 999, EndNS: 1000})
	return b.Profile().Workload("w")
}

func guard(dirs ...string) func(string) bool {
	return func(dir string) bool { return slices.Contains(dirs, dir) }
}

func TestGeneralise(t *testing.T) {
	for _, test := range []struct {
		name     string
		replicas int
		do       func(c int) (early, late []string)
		want     []string // paths, then wildcards with what they save
		misses   int
	}{
		{"all the same", 8, func(int) ([]string, []string) { return []string{"/data/a", "/data/b"}, nil }, []string{"/data/a", "/data/b"}, 0},
		{"numbers", 4, func(c int) ([]string, []string) {
			return []string{fmt.Sprintf("/data/temp-%d.rdb", c), "/data/dump"}, nil
		},
			[]string{"/data/dump", "/data/temp-*.rdb", "name /data/temp-*.rdb 4 of 4 saves 4 0"}, 0},
		{"later", 2, func(int) ([]string, []string) {
			return []string{"/log/a1", "/log/a2"}, []string{"/log/a3"}
		}, []string{"/log/a*", "name /log/a* 3 of 2 saves 0 1"}, 0},
		{"one name of one replica", 8, func(c int) ([]string, []string) {
			if c == 0 {
				return []string{"/data/a", "/data/once"}, nil
			}
			return []string{"/data/a"}, nil
		}, []string{"/data/a", "/data/once"}, 1},
		{"names of all kinds", 4, func(c int) ([]string, []string) {
			return []string{"/cache/" + []string{"red", "green", "blue", "white"}[c], "/data/a"}, nil
		}, []string{"/cache/…", "/data/a", "below /cache 4 of 4 saves 4 0"}, 0},
		{"guarded", 4, func(c int) ([]string, []string) {
			return []string{"/etc/" + []string{"red", "green", "blue", "white"}[c]}, nil
		},
			[]string{"/etc/blue", "/etc/green", "/etc/red", "/etc/white"}, 4},
		{"literal", 4, func(c int) ([]string, []string) { return []string{fmt.Sprintf("/etc/cron.d/job%d", c)}, nil },
			[]string{"/etc/cron.d/job0", "/etc/cron.d/job1", "/etc/cron.d/job2", "/etc/cron.d/job3"}, 4},
		{"directories that differ", 4, func(c int) ([]string, []string) {
			return []string{fmt.Sprintf("/data/session-%d/state", c), fmt.Sprintf("/data/session-%d/log", c)}, nil
		}, []string{"/data/session-*/log", "/data/session-*/state", "name /data/session-* 4 of 4 saves 4 0"}, 0},
		{"beginning and end", 4, func(c int) ([]string, []string) {
			return []string{"/srv/img_" + []string{"red", "green", "blue", "white"}[c] + ".png", "/srv/index"}, nil
		}, []string{"/srv/img_*.png", "/srv/index", "name /srv/img_*.png 4 of 4 saves 4 0"}, 0},
		{"random all through", 4, func(c int) ([]string, []string) {
			return []string{"/srv/last" + []string{"8fGhK2", "Qw31Xz", "zZ9aB1", "M2n8Qp"}[c], "/srv/index"}, nil
		}, []string{"/srv/index", "/srv/last*", "name /srv/last* 4 of 4 saves 4 0"}, 0},
		{"template", 2, func(int) ([]string, []string) { return []string{"/run/<uuid>.job", "/proc/<n>/task/<n>/comm"}, nil },
			[]string{"/proc/*/task/*/comm", "/run/*.job", "template /proc/* 1 of 2 saves 0 0", "template /proc/*/task/* 1 of 2 saves 0 0", "template /run/*.job 1 of 2 saves 0 0"}, 0},
		{"many", 2, func(int) (paths []string, _ []string) {
			for i := range 17 {
				paths = append(paths, "/a/b/"+strings.Repeat("x", i+1))
			}
			return paths, nil
		}, []string{"/a/b/…", "below /a/b 17 of 2 saves 0 0, for size"}, 0},
		{"a star of its own", 2, func(int) ([]string, []string) { return []string{"/a/*", "relative"}, nil }, []string{"/a/*"}, 0},
	} {
		w := wrote(test.replicas, test.do)
		opts := PathOptions{Guarded: guard("/", "/etc", "/etc/cron.d", "/run", "/proc"), Literal: guard("/etc/cron.d")}
		set := Generalise(w, w.Kind(Write), opts)
		got := slices.Concat(set.Exact, set.Names)
		for _, dir := range set.Below {
			got = append(got, dir+"/…")
		}
		slices.Sort(got)
		for _, c := range set.Wildcards {
			s := fmt.Sprintf("%s %s %d of %d saves %d %d", c.Form, c.Pattern, c.Values, c.Containers, c.SavedReplicas, c.SavedLate)
			if c.Size {
				s += ", for size"
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if set.Misses != test.misses {
			t.Errorf("%s: %d misses, want %d", test.name, set.Misses, test.misses)
		}
	}
}

// TestGeneraliseHoldsOut learns from some of many containers and says what that
// foretold of the others: a name with a wildcard saves what its price promised.
func TestGeneraliseHoldsOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(int) ([]string, []string) {
		paths := []string{"/data/dump", fmt.Sprintf("/data/temp-%d.rdb", rng.IntN(1000))}
		if rng.IntN(10) == 0 {
			paths = append(paths, "/data/seldom")
		}
		return paths, nil
	}
	alarms := 0
	for range 50 {
		w := wrote(8, draw)
		set := Generalise(w, w.Kind(Write), PathOptions{})
		next, _ := draw(0)
		for _, path := range next {
			if !slices.Contains(set.Exact, path) && (!strings.HasPrefix(path, "/data/temp-") || !slices.Contains(set.Names, "/data/temp-*.rdb")) {
				alarms++
			}
		}
	}
	if alarms > 5 { // seldom, where nobody of eight did it: 0.1 * 0.9^8 * 50 = 2.2
		t.Errorf("%d alarms of 50 further containers", alarms)
	}
}

func FuzzGeneralise(f *testing.F) {
	f.Add("/a/b1\n/a/b2\n/a/b3", "/x*/y\n/<n>/z")
	f.Add("//\n/", "/a//b\n/a/<uuid>")
	f.Fuzz(func(t *testing.T, a, b string) {
		w := wrote(3, func(c int) ([]string, []string) {
			return strings.Split([]string{a, b, a + b}[c], "\n"), strings.Split(b, "\n")
		})
		set := Generalise(w, w.Kind(Write), PathOptions{MaxPaths: 4, MaxNames: 2, MaxChildren: 3})
		has := func(path string) bool {
			below := slices.ContainsFunc(set.Below, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
			return below || slices.Contains(set.Exact, path) || slices.ContainsFunc(set.Names, func(name string) bool { return glob(name, path) }) ||
				slices.ContainsFunc(set.Left, func(name string) bool { return glob(name, path) })
		}
		for _, e := range w.Kind(Write) {
			if path := e.Item.Value; strings.HasPrefix(path, "/") && !has(path) {
				t.Errorf("%q is not in %+v", path, set)
			}
		}
	})
}

// glob matches a pattern in which * is any text.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(text, parts[0])
	if len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		rest, ok = after, ok && found
	}
	return ok && strings.HasSuffix(rest, parts[len(parts)-1])
}

func TestGeneralisePeers(t *testing.T) {
	peers := func(n int, of func(c int) []string) *Workload {
		b := NewBuilder(BuilderOptions{})
		for c := range n {
			var items []Item
			for _, p := range of(c) {
				items = append(items, Item{Connect, p})
			}
			b.Add(&Window{Workload: "w", Container: fmt.Sprint(c), EndNS: 1, Items: items})
		}
		b.Add(&Window{Workload: "w", Container: "0", StartNS: 999, EndNS: 1000})
		return b.Profile().Workload("w")
	}
	for _, test := range []struct {
		name   string
		n      int
		of     func(c int) []string
		want   []string
		misses int
	}{
		{"as they are", 3, func(int) []string {
			return []string{"inet:10.0.0.1:5432", "inet:10.0.0.2:5432", "inet:10.0.0.9:0", "unix:/x"}
		},
			[]string{"10.0.0.1/32 5432", "10.0.0.2/32 5432"}, 0},
		{"each another", 4, func(c int) []string {
			return []string{fmt.Sprintf("inet:10.0.0.%d:80", []int{16, 17, 18, 20}[c]), "inet:10.9.0.1:80"}
		},
			[]string{"10.0.0.16/28 80", "10.9.0.1/32 80", "10.0.0.16/28:80: 4 of 4 saves 4, 16 addresses, of which 4 were seen"}, 0},
		{"far apart", 3, func(c int) []string { return []string{fmt.Sprintf("inet:10.%d.0.1:80", c)} },
			[]string{"10.0.0.1/32 80", "10.1.0.1/32 80", "10.2.0.1/32 80"}, 3},
		{"sixth version", 3, func(c int) []string { return []string{fmt.Sprintf("inet6:[fd00::%d]:80", 1+c)} },
			[]string{"fd00::/125 80", "fd00::/125:80: 3 of 3 saves 3, 8 addresses, of which 3 were seen"}, 0},
		{"too many neighbours", 2, func(int) (all []string) {
			for i := range 20 {
				all = append(all, fmt.Sprintf("inet:10.0.0.%d:80", i))
			}
			return all
		}, []string{"10.0.0.0/27 80", "10.0.0.0/27:80: 20 of 2 saves 0, 32 addresses, of which 20 were seen"}, 0},
		{"too many", 2, func(int) (all []string) {
			for i := range 20 {
				all = append(all, fmt.Sprintf("inet:%d.0.0.1:443", 20+i))
			}
			return all
		}, []string{"* 443", "*:443: 20 of 2 saves 0, every address of that port"}, 0},
	} {
		w := peers(test.n, test.of)
		set := GeneralisePeers(w, w.Kind(Connect), PeerOptions{})
		var got []string
		for _, p := range set.Prefixes {
			got = append(got, fmt.Sprint(p.Prefix, " ", p.Port))
		}
		for _, port := range set.Ports {
			got = append(got, fmt.Sprint("* ", port))
		}
		for _, c := range set.Wildcards {
			got = append(got, fmt.Sprintf("%s: %d of %d saves %d, %s", c.Pattern, c.Values, c.Containers, c.SavedReplicas, c.Opens))
		}
		if diff := cmp.Diff(test.want, got); diff != "" || set.Misses != test.misses {
			t.Errorf("%s: %d misses, want %d (-want +got):\n%s", test.name, set.Misses, test.misses, diff)
		}
	}
}
