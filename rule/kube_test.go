package rule

import (
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

func k8sSet(t testing.TB, name string, items []string) *Set {
	t.Helper()
	return mustBuild(t, k8sWorkload(name, items), nil, Options{})
}
