package rule

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/profile"
	"mayfly/rule/hostile"
	"mayfly/trace"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// webItems is what a small web server does.
var webItems = strings.Split(`accept inet
call accept4
call brk
call clone
call close
call epoll_wait
call execve
call exit_group
call openat
call mount
call read
call sendfile
call write
connect inet:10.0.0.5:5432
connect inet:10.0.0.6:5432
connect inet6:[fd00::5]:5432
connect unix:/run/log.sock
connect inet:10.0.0.2:0
exec /usr/sbin/nginx
exec /usr/bin/dash
listen inet:0.0.0.0:80
listen inet6:[::]:80
priv setuid:33
priv setgid:33
read /etc/nginx/nginx.conf
read /etc/passwd
read /run/secrets/token
write /var/log/nginx/access.log
write /var/log/nginx/error.log
write /var/cache/nginx/<n>/x
write /proc/<n>/oom_score_adj
write /run/nginx.pid
write /etc/resolv.conf`, "\n")

// workload makes a workload of items: 3 containers, 60 windows each.
func workload(name string, items []string) *profile.Workload {
	b := profile.NewBuilder(profile.BuilderOptions{})
	parsed := make([]profile.Item, len(items))
	for i, text := range items {
		kind, value, _ := strings.Cut(text, " ")
		parsed[i] = profile.NewItem(kind, value)
	}
	const start = 1_780_000_000_000_000_000
	for c := range 3 {
		for w := range int64(60) {
			b.Add(&profile.Window{Workload: name, Container: fmt.Sprintf("c%d", c), Host: "host1", StartNS: start + w*1e9, EndNS: start + (w+1)*1e9, Items: parsed})
		}
	}
	b.Machine(name, "amd64")
	b.Declare(name, &trace.Container{Image: name + ":1.25", Ports: []string{"80/tcp", "443/tcp"}})
	return b.Profile().Workload(name)
}

func mustBuild(t testing.TB, w *profile.Workload, found []profile.Item, opts Options) *Set {
	t.Helper()
	s, err := Build(w, found, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestGoldenWeb(t *testing.T) {
	found := []profile.Item{
		{Kind: profile.Exec, Value: "/tmp/x"}, {Kind: profile.Read, Value: "/etc/hostname"},
		{Kind: profile.Read, Value: "/data/<n>/key"}, {Kind: profile.Priv, Value: "mount"}, {Kind: profile.Cap, Value: "CAP_SYS_ADMIN"},
	}
	s := mustBuild(t, workload("nginx", webItems), found, Options{})
	falco, err := s.Falco()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "nginx.yaml", falco)
	seccomp, err := s.Seccomp()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "nginx.json", seccomp)
	again, _ := mustBuild(t, workload("nginx", webItems), found, Options{}).Falco()
	if string(again) != string(falco) {
		t.Error("a second build gives other bytes")
	}
	if want := []string{`"exec /tmp/x": program`, `"priv mount": privilege`}; !cmp.Equal(s.Covered, want) {
		t.Errorf("covered: %s", cmp.Diff(want, s.Covered))
	}
}

func TestRefusals(t *testing.T) {
	lossy := workload("web", webItems)
	lossy.Lost = 7
	full := workload("web", webItems)
	full.Overflow = []profile.Overflow{{Kind: profile.Write, Count: 9}}
	short := workload("web", webItems)
	short.Windows = 3
	for _, test := range []struct {
		name string
		w    *profile.Workload
		want string
	}{
		{"empty", &profile.Workload{Name: "web"}, "nothing was recorded"},
		{"lossy", lossy, "7 records were lost"},
		{"full", full, "9 occurrences of kind write"},
		{"short", short, "only 3 windows"},
	} {
		_, err := Build(test.w, nil, Options{})
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want a refusal with %q", test.name, err, test.want)
			continue
		}
		s := mustBuild(t, test.w, nil, Options{Force: true})
		falco, err := s.Falco()
		if err != nil || !strings.Contains(string(falco), "RISK: ") || !strings.Contains(string(falco), test.want) {
			t.Errorf("%s, forced: %v: no risk %q in\n%s", test.name, err, test.want, falco)
		}
		seccomp, err := s.Seccomp()
		if test.name == "empty" {
			if !errors.As(err, &refusal) {
				t.Errorf("empty, forced: seccomp gives %s, %v, want a refusal", seccomp, err)
			}
		} else if err != nil || !strings.Contains(string(seccomp), "RISK: "+test.want) {
			t.Errorf("%s, forced: %v: no risk in\n%s", test.name, err, seccomp)
		}
	}
	if _, err := Build(workload(profile.Unknown, webItems), nil, Options{}); err == nil {
		t.Error("rules of containers without an image")
	}
	if _, err := mustBuild(t, workload(profile.Unknown, webItems), nil, Options{Force: true}).Falco(); err == nil {
		t.Error("falco rules without an image")
	}
}

// replicas makes a workload of three containers that write some paths, all of them or
// one alone.
func replicas(name string, all []string, own map[int][]string) *profile.Workload {
	b := profile.NewBuilder(profile.BuilderOptions{})
	for c := range 3 {
		var items []profile.Item
		for _, path := range append(slices.Clone(all), own[c]...) {
			items = append(items, profile.Item{Kind: profile.Write, Value: path})
		}
		b.Add(&profile.Window{Workload: name, Container: fmt.Sprint(c), EndNS: 1, Items: items})
		b.Add(&profile.Window{Workload: name, Container: fmt.Sprint(c), StartNS: 1000, EndNS: 1001})
	}
	return b.Profile().Workload(name)
}

func TestLearnWrites(t *testing.T) {
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprintf("/srv/app/d%d/f", i), fmt.Sprintf("/data%d/f", i))
	}
	own := func(c int, paths ...string) map[int][]string { return map[int][]string{c: paths} }
	for _, test := range []struct {
		name     string
		all      []string         // of every container
		own      map[int][]string // of one
		has, not string           // space separated paths
	}{
		{"as it is", []string{"/var/log/nginx/a.log"}, nil, "/var/log/nginx/a.log /dev/null", "/var/log/nginx/b.log /var/log/nginx/a.log/x"},
		{"guarded", []string{"/x"}, map[int][]string{0: {"/etc/a", "/etc/b"}, 1: {"/etc/c", "/etc/d"}}, "/etc/a /etc/d /x /dev/null", "/etc/passwd /y /etc/a/x"},
		{"other names in each replica", nil, map[int][]string{0: {"/srv/a/red"}, 1: {"/srv/a/green"}, 2: {"/srv/a/blue"}}, "/srv/a/black /srv/a/x/y", "/srv/b /srv/ax"},
		{"numbers", []string{"/data/dump"}, map[int][]string{0: {"/data/temp-1.rdb"}, 1: {"/data/temp-22.rdb"}, 2: {"/data/temp-3.rdb"}}, "/data/temp-4.rdb /data/dump", "/data/temp-4.sh /data/other"},
		{"what is run", nil, map[int][]string{0: {"/etc/cron.d/job1"}, 1: {"/etc/cron.d/job2"}, 2: {"/etc/cron.d/job3"}}, "/etc/cron.d/job1", "/etc/cron.d/job4"},
		{"template below a directory", []string{"/srv/a/<n>/x"}, nil, "/srv/a/7/x", "/srv/a/y /srv/b"},
		{"template in a guarded one", []string{"/proc/<n>/task/<n>/comm", "/proc/<n>/oom_score_adj"}, nil, "/proc/12/task/13/comm /proc/self/comm /proc/self/oom_score_adj", "/proc/12/mem /proc/sys/kernel/core_pattern"},
		{"too many", many, nil, "/srv/app/new/f /data3/f", "/srv/other /data3/g"},
		{"not absolute", []string{"memfd:x", "rel/x"}, nil, "", "/rel/x rel/x"},
		{"odd characters", []string{"/a>b/<n>/x"}, own(1, "/s*r/x"), "/a>b/1/x /s*r/x", "/c /sur/x"},
	} {
		w := replicas("web", test.all, test.own)
		allowed, _, _ := learnWrites(w, Options{}.withDefaults())
		set := compilePaths(&allowed)
		for _, path := range strings.Fields(test.has) {
			if !allowed.Has(path) || !set.has(path) {
				t.Errorf("%s: %q is not in %+v", test.name, path, allowed)
			}
		}
		for _, path := range strings.Fields(test.not) {
			if allowed.Has(path) || set.has(path) {
				t.Errorf("%s: %q is in %+v", test.name, path, allowed)
			}
		}
	}
}

func TestUnreadSecrets(t *testing.T) {
	w := workload("web", []string{"read /etc/shadow", "read /run/secrets/kubernetes.io/token", "read /root/.ssh/id_<n>", "read /etc/sudoers.dx"})
	got := unreadSecrets(w.Kind(profile.Read))
	for _, path := range []string{"/etc/shadow", "/run/secrets/x", "/var/run/secrets/x", "/root/.ssh/id"} {
		if got.Has(path) {
			t.Errorf("%s was read in training and is denied: %+v", path, got)
		}
	}
	for _, path := range []string{"/etc/gshadow", "/etc/sudoers.d/x", "/root/.aws/credentials"} {
		if !got.Has(path) {
			t.Errorf("%s was never read and is not denied: %+v", path, got)
		}
	}
}

func TestManyPeersWiden(t *testing.T) {
	var items []string
	for i := range 20 {
		items = append(items, fmt.Sprintf("connect inet:%d.0.0.1:443", 20+i), fmt.Sprintf("connect inet:10.0.0.%d:80", i), fmt.Sprintf("connect inet:10.0.1.%d:%d", i, 1000+i))
	}
	s := mustBuild(t, workload("web", items), nil, Options{})
	for _, r := range s.Rules {
		if r.Kind == Connect && (!r.knows("1.2.3.4", 443) || !r.knows("10.0.0.31", 80) || r.knows("10.0.0.32", 80) || r.knows("1.2.3.4", 1001) || !r.knows("10.0.1.1", 1001)) {
			t.Errorf("peers: %+v", r)
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, workload := range append([]string{"nginx", "NGINX", "a/b", "a_b", "a:b", "a-b", "..", ".", "-rf", "ghcr.io/a/b@sha256:00", strings.Repeat("x", 300), "é", "con"}, hostile.Values()...) {
		name, id := FileName(workload), identifier(workload)
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != "" || name == "" || name[0] == '.' || name[0] == '-' || len(name) > 120 {
			t.Errorf("FileName(%q) = %q", workload, name)
		}
		if strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || len(id) > 80 {
			t.Errorf("identifier(%q) = %q", workload, id)
		}
		for _, n := range []string{"file " + strings.ToLower(name), "id " + id} {
			if other, ok := seen[n]; ok && other != workload {
				t.Errorf("%q and %q are both %s", other, workload, n)
			}
			seen[n] = workload
		}
	}
}

func TestConfined(t *testing.T) {
	items := []string{"call mount", "call read", "priv mount", "priv ptrace"}
	yes, no := true, false
	for _, test := range []struct {
		name  string
		c     *trace.Container
		items []string
		want  bool // the call mount is forbidden
	}{
		{"no runtime told", nil, items, false},
		{"plain", &trace.Container{Privileged: &no}, items, true},
		{"privileged", &trace.Container{Privileged: &yes}, items, false},
		{"capability", &trace.Container{CapAdd: []string{"CAP_SYS_ADMIN"}}, items, false},
		{"all", &trace.Container{CapAdd: []string{"all"}}, items, false},
		{"named alone", &trace.Container{Facts: trace.FactsPartial}, items, false},
		{"own user namespace", &trace.Container{}, append([]string{"priv unshare:NEWUSER"}, items...), false},
	} {
		w := workload("web", test.items)
		w.Declared = nil
		if test.c != nil {
			b := profile.NewBuilder(profile.BuilderOptions{})
			b.Declare("web", test.c)
			w.Declared = b.Profile().Workload("web").Declared
		}
		s := mustBuild(t, w, nil, Options{})
		if got := !s.Calls.Allows("mount"); got != test.want {
			t.Errorf("%s: seccomp forbids mount: %v, want %v", test.name, got, test.want)
		}
		for _, op := range []string{"mount", "ptrace"} {
			if s.catches(profile.Item{Kind: profile.Priv, Value: op}) != "" {
				t.Errorf("%s: a rule on %s, which the workload does, if in vain", test.name, op)
			}
		}
		if s.catches(profile.Item{Kind: profile.Priv, Value: "setns"}) != Privilege {
			t.Errorf("%s: no rule on setns", test.name)
		}
	}
}

// TestDeploymentScope: two services of one image have rules of their own.
func TestDeploymentScope(t *testing.T) {
	for _, test := range []struct {
		name string
		pods *profile.Pods
		want string
	}{
		{"nginx", nil, `container.image.repository in (mayfly_nginx_images)`},
		{"nginx#shop/web", nil, `and container.label[com.docker.compose.project] = "shop" and container.label[com.docker.compose.service] = "web"`},
		{"nginx#/web", nil, `) and container.label[com.docker.compose.service] = "web"`},
		{`nginx#a" or 1=1/w\b`, nil, "_images)\n"}, // what cannot be quoted narrows nothing
		{"nginx#prod/Deployment/web", &profile.Pods{Namespaces: []string{"prod"}}, `and k8s.ns.name = "prod"`},
	} {
		w := workload("nginx", webItems)
		w.Name, w.Declared.Pods = test.name, test.pods
		text, err := mustBuild(t, w, nil, Options{}).Falco()
		if err != nil || !strings.Contains(strings.ReplaceAll(string(text), "''", "'"), test.want) {
			t.Errorf("%s: %v: no %s in\n%s", test.name, err, test.want, text[:min(len(text), 1500)])
		}
	}
}

// TestProgramsThatCannotBeWritten: where no learned program can be named, each one
// raises an alarm; the rule does not go away.
func TestProgramsThatCannotBeWritten(t *testing.T) {
	text, err := mustBuild(t, workload("odd", []string{"exec /bin/o'neill", "call read"}), nil, Options{}).Falco()
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range parseFalco(t, text) {
		if item.Rule == "mayfly odd: unexpected program" {
			if want := onExec + " and mayfly_odd_containers"; item.Condition != want {
				t.Errorf("got %q, want %q", item.Condition, want)
			}
			return
		}
	}
	t.Errorf("no rule on programs:\n%s", text)
}
