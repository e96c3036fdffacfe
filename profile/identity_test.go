package profile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

func TestNameOf(t *testing.T) {
	compose := []string{"com.docker.compose.project=shop", "com.docker.compose.service=web"}
	for _, test := range []struct {
		c     trace.Container
		want  string
		split [3]string
		names []string
	}{
		{trace.Container{Image: "docker.io/library/nginx:1.25"}, "nginx", [3]string{"nginx"}, []string{"nginx"}},
		{trace.Container{Image: "nginx", ImageDigest: "nginx@sha256:ab", Labels: compose}, "nginx@sha256:ab#shop/web", [3]string{"nginx", "sha256:ab", "shop/web"},
			[]string{"nginx@sha256:ab#shop/web", "nginx#shop/web", "nginx@sha256:ab", "nginx"}},
		{trace.Container{Image: "nginx", PodNamespace: "prod", Owner: "Deployment/web"}, "nginx#prod/Deployment/web", [3]string{"nginx", "", "prod/Deployment/web"},
			[]string{"nginx#prod/Deployment/web", "nginx"}},
		{trace.Container{Image: "nginx", PodNamespace: "prod"}, "nginx", [3]string{"nginx"}, []string{"nginx"}},
		{trace.Container{Image: "we#ird name"}, "we_ird name", [3]string{"we_ird name"}, []string{"we_ird name"}},
		{trace.Container{Labels: compose}, Unknown, [3]string{Unknown}, []string{Unknown}},
	} {
		got := NameOf(&test.c)
		if got != test.want {
			t.Errorf("NameOf(%+v) = %q, want %q", test.c, got, test.want)
		}
		var split [3]string
		split[0], split[1], split[2] = SplitName(got)
		if split != test.split {
			t.Errorf("SplitName(%q) = %q, want %q", got, split, test.split)
		}
		if diff := cmp.Diff(test.names, NamesOf(&test.c)); diff != "" {
			t.Errorf("NamesOf(%+v) (-want +got):\n%s", test.c, diff)
		}
	}
}
