package rule

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/feature"
	"mayfly/profile"
	"mayfly/rule/falco"
	"mayfly/trace"
)

// TestSeccompFiles reads profiles that mayfly did not write: capabilities, machines,
// arguments, and whose containers they are for.
func TestSeccompFiles(t *testing.T) {
	named := calls(2, other, "read", "mkdir")
	named.Comm = "runc:[2:INIT]" // as an attacker may: its calls count
	tr := writeTrace(t, nil, []trace.Sequence{calls(1, web, "read", "mkdir", "mount", "socket", "bpf"), named})
	const profileText = `{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
 "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
  {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
  {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
  {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"], "minKernel": "4.8"}, "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]}`
	for name, want := range map[string]string{
		"custom.json": "2 containers, 3 refused, 1 unsure: mkdir mount mkdir",
		FileName(profile.WorkloadName("docker.io/library/nginx:1.25", "")) + ".json": "1 containers, 2 refused, 1 unsure: mkdir mount",
	} {
		report, err := TestFiles(context.Background(), []File{{"dir/" + name, []byte(profileText)}}, []*trace.Trace{tr}, nil, TestOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r := report.Rules[0]
		var refused []string
		for _, c := range report.Refused {
			refused = append(refused, c.Call)
		}
		got := fmt.Sprintf("%d containers, %d refused, %d unsure: %s", r.Containers, r.Fires, r.Unsure, strings.Join(refused, " "))
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	for content, want := range map[string]string{
		`{}`: `x.json: no seccomp profile: defaultAction ""`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "no"}]}`:                          `x.json: syscalls[0]: action "no"`,
		`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["a"], "action": "SCMP_ACT_ALLOW"}]}`: `x.json: syscalls[0]: want names, or a name`,
		`{"defaultAction": "SCMP_ACT_ALLOW"} {}`:                                                                       `x.json: no seccomp profile: more behind its end`,
	} {
		if _, err := readFilter("x.json", []byte(content)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", content, err, want)
		}
	}
}

// TestRefusedBefore: what the runtime's own filter answered the same is no false alarm; in
// an attack it counts.
func TestRefusedBefore(t *testing.T) {
	const answers = `{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"},
  {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}`
	const kills = `{"defaultAction": "SCMP_ACT_KILL", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO"}]}`
	labels := []feature.Label{{Container: web, FromNS: begin + 100*second, ToNS: begin + 200*second, Attack: "a"}}
	for _, test := range []struct {
		seccomp, profile string
		caps             []string
		want             string
	}{
		{"default", answers, nil, "keyctl: 4 fires, 1 normal, 2 before, caught a"},
		{"default", answers, []string{"CAP_SYS_ADMIN"}, "clone3 keyctl mount: 6 fires, 3 normal, 0 before, caught a"},
		{"custom:00", answers, nil, "clone3 keyctl mount: 6 fires, 3 normal, 0 before, caught a"},
		{"default", kills, nil, "clone3 keyctl mount: 6 fires, 3 normal, 0 before, caught a"}, // EPERM for ENOSYS, a kill for EPERM
	} {
		tr := writeContainers(t, []trace.Container{{TimeNS: begin, ContainerID: web, CgroupID: 7, Name: "web", Image: "nginx", Seccomp: test.seccomp, CapAdd: test.caps}},
			nil, []trace.Sequence{calls(1, web, "read", "clone3", "keyctl", "mount"), calls(150, web, "clone3", "keyctl", "mount")})
		report, err := TestFiles(context.Background(), []File{{"x.json", []byte(test.profile)}}, []*trace.Trace{tr}, labels, TestOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r := report.Rules[0]
		var normal []string
		for _, c := range report.Refused {
			if c.Normal > 0 {
				normal = append(normal, c.Call)
			}
		}
		got := fmt.Sprintf("%s: %d fires, %d normal, %d before, caught %s", strings.Join(normal, " "), r.Fires, r.Normal, report.RefusedBefore, strings.Join(r.Attacks, " "))
		if got != test.want {
			t.Errorf("%s, %v:\n got %s\nwant %s", test.seccomp, test.caps, got, test.want)
		}
	}
}

// TestReportsOutliveRows: reading each record where the one before was changes no
// report.
func TestReportsOutliveRows(t *testing.T) {
	ctx := context.Background()
	content, err := os.ReadFile(filepath.Join("falco", "testdata", "constructs.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	demo, err := trace.Open(filepath.Join("..", "datasets", "demo", "trace"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := TestFiles(ctx, []File{{"rules.yaml", content}, {"x.json", []byte(`{"defaultAction": "SCMP_ACT_ERRNO"}`)}}, []*trace.Trace{demo}, nil, TestOptions{Host: true})
	if err != nil {
		t.Fatal(err)
	}
	program, err := compileRules([]falco.Source{{Name: "rules.yaml", Content: content}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := readFilter("x.json", []byte(`{"defaultAction": "SCMP_ACT_ERRNO"}`))
	if err != nil {
		t.Fatal(err)
	}
	trial := newTrial(program, []*filter{f}, nil, TestOptions{Host: true})
	files, err := trial.begin(ctx, []*trace.Trace{demo})
	if err != nil {
		t.Fatal(err)
	}
	if err := trial.rows(trace.MergeFiles(ctx, files)); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(trial.report())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(got); err != nil || string(text) != string(want) || got.Events < 20_000 || len(got.Refused) == 0 {
		t.Errorf("%d events: got %s, want %s", got.Events, text, want)
	}
}

func FuzzReadFilter(f *testing.F) {
	f.Add(`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8.1"}}]}`)
	f.Fuzz(func(_ *testing.T, text string) {
		if p, err := readFilter("x.json", []byte(text)); err == nil {
			p.check(&trace.Container{}, "amd64", "6.1")
		}
	})
}

// TestAtMost is the upper end of an interval that tables have.
func TestAtMost(t *testing.T) {
	got := map[int64]string{}
	for _, n := range []int64{0, 1, 10, 20_000} {
		got[n] = fmt.Sprintf("%.4g", (&Result{Normal: n, NormalHours: 2}).AtMost()*2)
	}
	if diff := cmp.Diff(map[int64]string{0: "2.996", 1: "4.744", 10: "16.96", 20_000: "2.023e+04"}, got); diff != "" {
		t.Errorf("95 %% bounds of counts (-want +got):\n%s", diff)
	}
}
