package profile

import (
	"testing"

	"mayfly/trace"
)

// TestDeclarePartial puts together what runtimes told of a workload's containers: old
// rows, full ones and one that is known by its name alone.
func TestDeclarePartial(t *testing.T) {
	old, full, partial := trace.Container{Image: "web:1"}, trace.Container{Facts: trace.FactsFull, Image: "web:1"}, trace.Container{Facts: trace.FactsPartial, Image: "web:1"}
	for _, tt := range []struct {
		name string
		rows []trace.Container
		want bool
	}{
		{"full", []trace.Container{full, full}, false},
		{"before the column", []trace.Container{old}, false},
		{"one by its name alone", []trace.Container{full, partial, full}, true},
		{"unknown", []trace.Container{{Facts: trace.FactsUnknown}}, true},
	} {
		w := &Workload{}
		for i := range tt.rows {
			w.Declare(&tt.rows[i])
		}
		if w.Declared.Partial != tt.want {
			t.Errorf("%s: partial is %v, want %v", tt.name, w.Declared.Partial, tt.want)
		}
	}
}
