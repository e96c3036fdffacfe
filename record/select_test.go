package record

import (
	"strings"
	"testing"

	"mayfly/trace"
)

// TestSelect judges containers by what is known of them.
func TestSelect(t *testing.T) {
	full := &trace.Container{Facts: "full", Name: "web", Image: "nginx:1.25", ImageDigest: "sha256:ab", Labels: []string{"app=web", "tier=front"},
		Pod: "web-1", PodNamespace: "shop", Runtime: "containerd", Owner: "Deployment/web"}
	bare := &trace.Container{Facts: "full", Name: "tool", Image: "registry.example/a/b@sha256:cd", Runtime: "docker"}
	cgroup := &trace.Container{Facts: "unknown", Runtime: "docker"}
	event := &trace.Container{Facts: "partial", Image: "nginx", Runtime: "containerd"}
	named := &trace.Container{Facts: "partial", Name: "x", Image: "nginx", Runtime: "docker", Labels: []string{"a=1"}}
	all := []*trace.Container{full, bare, cgroup, event, named}
	for _, tt := range []struct{ terms, want string }{ // y: wanted, n: unwanted, ?: undecided; full bare cgroup event named
		{"", "yyyyy"},
		{"name=web", "yn??n"},
		{"image=docker.io/library/nginx*", "yn?yy"},
		{"image=nginx", "nn?yy"},
		{"image=sha256:ab", "yn?nn"},
		{"image=*@sha256:cd", "ny?nn"},
		{"label=app=web", "yn??n"},
		{"label=app=*", "yn??n"},
		{"label=app", "nn??n"},
		{"pod=web-?", "yn??n"},
		{"namespace=shop", "yn??n"},
		{"!namespace=kube-system", "yy??y"},
		{"!namespace=shop", "ny??y"},
		{"owner=Deployment/*", "yn??n"},
		{"runtime=docker", "nyyny"},
		{"!runtime=docker", "ynnyn"},
		{"name=web name=tool", "yy??n"},
		{"name=web image=nginx*", "yn??n"},
		{"name=web image=other*", "nn?nn"},
		{"name=* !label=app=web", "ny??y"},
		{"runtime=docker namespace=shop", "nn?nn"},
		{"runtime=containerd namespace=shop", "ynn?n"},
		{"!runtime=docker namespace=shop", "ynn?n"},
	} {
		s, err := ParseSelection(strings.Fields(tt.terms))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range all {
			got += string("y?n"[s.judge(c)])
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
		if a, b := s.judge(c), not.judge(c); a != unwanted-b {
			t.Errorf("%q of %q: %d, and excluded %d", text, image, a, b)
		}
	})
}
