package record

import (
	"strings"
	"testing"

	"mayfly/trace"
)

func mustSelect(t *testing.T, terms ...string) Selection {
	t.Helper()
	s, err := ParseSelection(terms)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSelect judges containers by what is known of them.
func TestSelect(t *testing.T) {
	full := &trace.Container{Facts: "full", Name: "web", Image: "nginx:1.25", ImageDigest: "sha256:ab", Labels: []string{"app=web", "tier=front"},
		Pod: "web-1", PodNamespace: "shop", Runtime: "containerd", Owner: "Deployment/web"}
	orphan := &trace.Container{Facts: "full", Name: "web", Runtime: "cri-o", Sandbox: "ab"} // its pod did not answer
	if v, sure := mustSelect(t, "label=app=web").judge(orphan); v != unwanted || sure {
		t.Errorf("a container whose pod is not known: got %d, sure: %v; want it unwanted, and not for sure", v, sure)
	}
	bare := &trace.Container{Facts: "full", Name: "tool", Image: "registry.example/a/b@sha256:cd", Runtime: "docker"}
	cgroup := &trace.Container{Facts: "unknown", Runtime: "docker"}
	event := &trace.Container{Facts: "partial", Image: "nginx", Runtime: "containerd"}
	named := &trace.Container{Facts: "partial", Name: "x", Image: "nginx", Runtime: "docker", Labels: []string{"a=1"}}
	all := []*trace.Container{full, bare, cgroup, event, named}
	for _, tt := range []struct{ terms, want string }{ // y: wanted, n: unwanted, Y, N: until more is known, ?: undecided; full bare cgroup event named
		{"", "yyyyy"},
		{"name=web", "yn??n"},
		{"image=docker.io/library/nginx*", "yn?yy"},
		{"image=nginx", "Nn?yy"},
		{"image=sha256:ab", "yn?NN"},
		{"image=*@sha256:cd", "Ny?NN"},
		{"label=app=web", "yn??N"},
		{"label=app=*", "yn??N"},
		{"label=app", "Nn??N"},
		{"pod=web-?", "yn??N"},
		{"namespace=shop", "yn??N"},
		{"!namespace=kube-system", "yy??Y"},
		{"!namespace=shop", "ny??Y"},
		{"owner=Deployment/*", "yn??N"},
		{"runtime=docker", "nyyny"},
		{"!runtime=docker", "ynnyn"},
		{"name=web name=tool", "yy??n"},
		{"name=web image=nginx*", "yn??n"},
		{"name=web image=other*", "Nn?Nn"},
		{"name=* !label=app=web", "ny??Y"},
		{"runtime=docker namespace=shop", "nn?nN"},
		{"runtime=containerd namespace=shop", "ynn?n"},
		{"!runtime=docker namespace=shop", "ynn?n"},
	} {
		s := mustSelect(t, strings.Fields(tt.terms)...)
		got := ""
		for _, c := range all {
			v, sure := s.judge(c)
			got += string(map[bool]string{true: "y?n", false: "Y?N"}[sure][v])
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.terms, got, tt.want)
		}
	}
	for _, text := range []string{"", "web", "name=", "!name", "nam=x", "=x", "!=x"} {
		if _, err := ParseSelection([]string{text}); err == nil || !strings.HasPrefix(err.Error(), "select ") {
			t.Errorf("%q: got %v, want an error", text, err)
		}
	}
}

// TestGlobs matches patterns with whole texts.
func TestGlobs(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"", "", true}, {"", "a", false}, {"a*", "a", true}, {"*b", "a/b", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"a*a", "a", false}, {"[ab]", "a", false}, {"**", "x", true}, {"a", "A", false},
	} {
		if got := globs(tt.pattern, tt.text); got != tt.want {
			t.Errorf("globs(%q, %q): got %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
}

// FuzzSelection wants any terms to be refused or to judge, and exclusion to be
// the opposite of selection.
func FuzzSelection(f *testing.F) {
	f.Add("image=docker.io/library/nginx*", "nginx:1")
	f.Fuzz(func(t *testing.T, text, image string) {
		s, err := ParseSelection([]string{text})
		if err != nil || strings.HasPrefix(text, "!") {
			return
		}
		not, err := ParseSelection([]string{"!" + text})
		if err != nil {
			t.Fatal(err)
		}
		c := &trace.Container{Facts: "full", Name: image, Image: image}
		a, sure := s.judge(c)
		b, surely := not.judge(c)
		if a != unwanted-b || sure != surely {
			t.Errorf("%q of %q: %d (sure: %v), and excluded %d (%v)", text, image, a, sure, b, surely)
		}
	})
}
