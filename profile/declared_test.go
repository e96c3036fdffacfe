package profile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/trace"
)

// TestDeclare puts together what runtimes told of a workload's containers: old
// rows, full ones and one that is known by its name alone.
func TestDeclare(t *testing.T) {
	full := trace.Container{Facts: trace.FactsFull, Image: "web:1", Owner: "Deployment/web", SELinux: "l", NetworkMode: "host", PIDMode: "private",
		IPCMode: "host", ReadonlyRoot: new(true), NoNewPrivs: new(false), Privileged: new(false)}
	other := trace.Container{Facts: trace.FactsFull, Image: "web:2", ReadonlyRoot: new(false), NoNewPrivs: new(false)}
	old := trace.Container{Image: "web:1", Privileged: new(true)}
	for _, tt := range []struct {
		name string
		rows []trace.Container
		want Declared
	}{
		{"full", []trace.Container{full, other}, Declared{Images: []string{"web:1", "web:2"}, Networks: []string{"host"}, Owners: []string{"Deployment/web"},
			SELinux: []string{"l"}, HostNamespaces: []string{"ipc", "network"}, Roots: []string{"read-only", "writable"}, NewPrivileges: []string{"allowed"}}},
		{"before the columns", []trace.Container{old}, Declared{Images: []string{"web:1"}, Privileged: true}},
		{"partial", []trace.Container{old, {Facts: trace.FactsPartial, Image: "web:1"}}, Declared{Images: []string{"web:1"}, Privileged: true, Partial: true}},
	} {
		w := &Workload{}
		for i := range tt.rows {
			w.Declare(&tt.rows[i])
		}
		if diff := cmp.Diff(&tt.want, w.Declared); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
