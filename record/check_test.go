package record

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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
