package rule

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mayfly/profile"
	"mayfly/trace"
)

// k8sWorkload is a workload whose containers are in pods of two namespaces.
func k8sWorkload(name string, items []string) *profile.Workload {
	w := workload(name, items)
	for _, c := range []trace.Container{
		{Image: name + ":1.25", PodNamespace: "shop", Owner: "Deployment/web", Entrypoint: []string{"/docker-entrypoint.sh", "nginx"},
			Labels: []string{"app=web", "app.kubernetes.io/name=nginx", "io.kubernetes.container.name=nginx", "pod-template-hash=7d9f", "io.kubernetes.pod.name=web-7d9f-x2k4q"}},
		{Image: name + ":1.25", PodNamespace: "shop-test", Owner: "Deployment/web", Labels: []string{"app=web", "app.kubernetes.io/name=nginx", "pod-template-hash=55c8", "tier=test"}},
	} {
		w.Declare(&c)
	}
	return w
}

// TestGoldenTargets: a file of each target, as a person reviews it.
func TestGoldenTargets(t *testing.T) {
	s := k8sSet(t, "nginx", webItems)
	for _, target := range targets[2:] {
		text, err := target.render(s)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, target.name+target.ext, text)
	}
}

// TestWatching: the form that only watches denies nothing, or there is none.
func TestWatching(t *testing.T) {
	s := k8sSet(t, "nginx", webItems)
	s.Audit = true
	for _, target := range targets {
		text, err := target.render(s)
		var refusal *Refusal
		switch target.name {
		case "networkpolicy", "cilium":
			if !errors.As(err, &refusal) {
				t.Errorf("%s: got %v, want a refusal", target.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"Override", "Sigkill", "Block", "Allow", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "deny "} {
			if slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool { return !strings.HasPrefix(line, "#") && strings.Contains(line, word) }) {
				t.Errorf("%s: %s in a file for watching", target.name, word)
			}
		}
	}
}

// TestSelectors: by labels that all pods have and keep, or not at all.
func TestSelectors(t *testing.T) {
	pods := func(labels ...string) *profile.Declared {
		return &profile.Declared{Pods: &profile.Pods{Namespaces: []string{"shop"}, Containers: []string{"web"}, Labels: labels}}
	}
	for name, test := range map[string]struct {
		declared *profile.Declared
		refused  string
	}{
		"no runtime told":     {nil, "not seen in a pod"},
		"no pod":              {&profile.Declared{Images: []string{"web"}}, "not seen in a pod"},
		"labels not known":    {pods(), "no labels of its pods are known"},
		"only passing labels": {pods("controller-revision-hash=1", "pod-template-hash=55c8"), "no label that outlives"},
		"no valid label":      {pods("a b=c", "app=x y", "bad/key/x=y"), "no label that outlives"},
		"fine":                {pods("app=web", "pod-template-hash=55c8"), ""},
		"bad namespace":       {&profile.Declared{Pods: &profile.Pods{Namespaces: []string{"a\nb"}, Labels: []string{"app=web"}}}, "cannot be a namespace"},
		"host network":        {&profile.Declared{Networks: []string{"host"}, Pods: pods("app=web").Pods}, "host's network"},
	} {
		s := mustBuild(t, workload("web", webItems), nil, Options{})
		s.Declared = test.declared
		text, err := s.NetworkPolicy()
		if test.refused == "" {
			if err != nil || strings.Contains(string(text), "pod-template-hash") || !strings.Contains(string(text), "app: web") {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: got %v, want a refusal: %s", name, err, test.refused)
		}
	}
	hidden := mustBuild(t, k8sWorkload("web", []string{"accept inet", "exec /web", "call read"}), nil, Options{})
	if text, err := hidden.NetworkPolicy(); err != nil || !strings.Contains(string(text), "policyTypes: [Egress]") {
		t.Errorf("ports that began to listen before the recording: %v\n%s", err, text)
	}
}

func k8sSet(t testing.TB, name string, items []string) *Set {
	t.Helper()
	return mustBuild(t, k8sWorkload(name, items), nil, Options{})
}

// TestSays: a target says the kinds without which its file is another, beside comments.
func TestSays(t *testing.T) {
	found := []profile.Item{{Kind: profile.Read, Value: "/etc/hostname"}}
	// Of connections AppArmor says unix sockets alone, which is too little to count.
	inet := slices.DeleteFunc(slices.Clone(webItems), func(item string) bool { return strings.Contains(item, "unix:") })
	whole := k8sSet(t, "nginx", inet)
	whole.addFound(found, DefaultOptions)
	lines := func(s *Set, render func(*Set) ([]byte, error)) string {
		text, err := render(s)
		if err != nil {
			return err.Error()
		}
		return strings.Join(slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }), "\n")
	}
	for _, target := range targets {
		if target.says == nil {
			continue // talon answers rules by their names, quarantine asks for a label
		}
		for _, kind := range []Kind{Program, Dropped, Secret, Write, Connect, Listen, Privilege, Found, Calls} {
			less := *whole
			less.Rules = slices.DeleteFunc(slices.Clone(whole.Rules), func(r Rule) bool { return r.Kind == kind })
			if kind == Calls {
				less.Calls = nil
			}
			if said := lines(&less, target.render) != lines(whole, target.render); said != slices.Contains(target.says, kind) {
				t.Errorf("%s: its file rests on %s: %v, and it is said to say it: %v", target.name, kind, said, !said)
			}
		}
	}
}
