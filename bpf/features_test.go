package bpf

import "testing"

// TestFeatures wants what must be there to be found where the programs load.
func TestFeatures(t *testing.T) {
	mustLoad(t, DefaultOptions())
	list, err := Features()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		t.Logf("%-24s %-5v %s", f.Name, f.OK, f.Detail)
		if f.Must && !f.OK {
			t.Errorf("%s: missing (%s), but the programs load", f.Name, f.Detail)
		}
		if f.Name == "" || f.Needed == "" {
			t.Errorf("feature %+v: want a name and what it is needed for", f)
		}
	}
}
