package record

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mayfly/bpf"
	"mayfly/record/privilege"
)

func TestMissing(t *testing.T) {
	both, all := privilege.Of(unix.CAP_BPF, unix.CAP_PERFMON), ^uint64(0)
	for _, c := range []struct {
		have    privilege.Set
		release string
		memlock uint64
		want    string
	}{
		{both, "6.18.44-fc", 0, ""},
		{privilege.Of(unix.CAP_SYS_ADMIN), "6.1.0-9-amd64", 0, ""},
		{0, "6.18.44-fc", 0, "CAP_PERFMON is missing (to read kernel memory from them), CAP_BPF is missing (to load programs)"},
		{privilege.Of(unix.CAP_BPF), "5.15", all, "CAP_PERFMON is missing (to read kernel memory from them)"},
		{both, "5.10.0", 64 << 10, "CAP_SYS_RESOURCE is missing (to lock memory for maps, on a kernel before 5.11)"},
		{both, "5.10.0", all, ""},
		{both, "5.4.0-200", all, "CAP_SYS_ADMIN is missing (to load programs, on a kernel before 5.8)"},
		{both, "odd", 0, ""},
	} {
		if got := strings.Join(missing(c.have, c.release, c.memlock), ", "); got != c.want {
			t.Errorf("%s on %s: got %q, want %q", c.have, c.release, got, c.want)
		}
	}
}

// TestLacking wants an old kernel to be told what it lacks, and not what it can do
// without.
func TestLacking(t *testing.T) {
	got := lacking([]bpf.Feature{
		{Name: "type information", Must: true, OK: true, Needed: "to find structures"},
		{Name: "ring buffer", Must: true, Needed: "to hand records over: Linux 5.8", Detail: "this kernel\nlacks it"},
		{Name: "security hooks", Needed: "to see arguments", Detail: "this kernel lacks it"},
	})
	if want := "ring buffer (this kernel lacks it; it is needed to hand records over: Linux 5.8)"; len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
