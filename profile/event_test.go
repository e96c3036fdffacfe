package profile

import (
	"strings"
	"testing"

	"mayfly/trace"
)

func TestAppendEvent(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for _, test := range []struct {
		name string
		ev   trace.Event
		want string // items, joined by " | "
	}{
		{"exec", trace.Event{Kind: "exec", Path: "/bin/sh", ExeOrigin: "image"}, "exec /bin/sh"},
		{"exec failed", trace.Event{Kind: "exec", Path: "/bin/sh", Ret: n(-2)}, ""},
		{"exec written", trace.Event{Kind: "exec", Path: "/tmp/x", ExeOrigin: "written"}, "exec /tmp/x | write-exec /tmp/x"},
		{"exec memfd", trace.Event{Kind: "exec", Path: "memfd:a b", ExeOrigin: "memfd"}, "exec memfd:a b | write-exec memfd:a b"},
		{"read", trace.Event{Kind: "open", Path: "/proc/12/maps", Flags: n(0x80000), Ret: n(3)}, "read /proc/<n>/maps"},
		{"write", trace.Event{Kind: "open", Path: "/a", Flags: n(2)}, "write /a"},
		{"create", trace.Event{Kind: "open", Path: "/a", Flags: n(0x40)}, "write /a"},
		{"open failed", trace.Event{Kind: "open", Path: "/a", Flags: n(0), Ret: n(-13)}, "refused read /a"},
		{"open of nothing", trace.Event{Kind: "open", Path: "/a", Flags: n(0), Ret: n(-2)}, ""},
		{"write refused", trace.Event{Kind: "open", Path: "/proc/sys/kernel/core_pattern", Flags: n(1), Ret: n(-30)}, "refused write /proc/sys/kernel/core_pattern"},
		{"exec refused", trace.Event{Kind: "exec", Path: "/tmp/x", Ret: n(-13)}, "refused exec /tmp/x"},
		{"connect refused", trace.Event{Kind: "connect", Family: "inet", Addr: "10.0.0.1", Port: n(443), Ret: n(-1)}, "refused connect inet:10.0.0.1:443 | connect inet:10.0.0.1:443"},
		{"unlink refused", trace.Event{Kind: "unlink", Path: "/proc/12/x", Ret: n(-1)}, "refused unlink /proc/<n>/x"},
		{"called by another name", trace.Event{Kind: "exec", Path: "/bin/busybox", Argv: []string{"/usr/bin/nc", "-l"}}, `exec /bin/busybox | called ["/bin/busybox","nc"]`},
		{"called by its name", trace.Event{Kind: "exec", Path: "/bin/busybox", Argv: []string{"busybox", "nc"}}, "exec /bin/busybox"},
		{"called by a title", trace.Event{Kind: "exec", Path: "/bin/pg", Argv: []string{"pg: worker 12"}}, `exec /bin/pg | called ["/bin/pg","<text>"]`},
		{"rename", trace.Event{Kind: "rename", Path: "/a", Path2: "/b"}, "write /a | write /b"},
		{"link", trace.Event{Kind: "link", Path: "/a", Path2: "/b"}, "write /b"},
		{"unlink", trace.Event{Kind: "unlink", Path: "/a"}, "write /a"},
		{"connect", trace.Event{Kind: "connect", Family: "inet", Addr: "10.0.0.1", Port: n(443), Ret: n(-115)}, "connect inet:10.0.0.1:443"},
		{"connect mapped", trace.Event{Kind: "connect", Family: "inet6", Addr: "::ffff:10.0.0.1", Port: n(443)}, "connect inet:10.0.0.1:443"},
		{"connect v6", trace.Event{Kind: "connect", Family: "inet6", Addr: "::1", Port: n(80)}, "connect inet6:[::1]:80"},
		{"connect unix", trace.Event{Kind: "connect", Family: "unix", Addr: "/run/x.sock"}, "connect unix:/run/x.sock"},
		{"connect netlink", trace.Event{Kind: "connect", Family: "netlink"}, "connect netlink"},
		{"connect odd", trace.Event{Kind: "connect", Family: "inet", Addr: "not an address", Port: n(1)}, "connect inet"},
		{"listen", trace.Event{Kind: "listen", Family: "inet", LocalAddr: "0.0.0.0", LocalPort: n(80)}, "listen inet:0.0.0.0:80"},
		{"accept", trace.Event{Kind: "accept", Family: "inet", Addr: "1.2.3.4", Port: n(9)}, "accept inet"},
		{"capset", trace.Event{Kind: "capset", Arg: n(1<<12 | 1<<40 | 1<<41)}, "cap CAP_NET_ADMIN | cap CAP_CHECKPOINT_RESTORE"},
		{"setuid", trace.Event{Kind: "setuid", Arg: n(0)}, "priv setuid:0"},
		{"bpf", trace.Event{Kind: "bpf", Arg: n(5), Ret: n(-1)}, "refused bpf | priv bpf:5"},
		{"unshare", trace.Event{Kind: "unshare", Flags: n(0x10020000)}, "priv unshare:NEWNS | priv unshare:NEWUSER"},
		{"mount refused", trace.Event{Kind: "mount", Path: "none", Path2: "/mnt", Ret: n(-1)}, "refused mount /mnt | priv mount"},
		{"fork", trace.Event{Kind: "fork"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, item := range AppendEvent(nil, &test.ev) {
				if _, err := ParseItem(item.String()); err != nil {
					t.Errorf("not an item: %v", err)
				}
				got = append(got, item.String())
			}
			if got := strings.Join(got, " | "); got != test.want {
				t.Errorf("got %q, want %q, event %+v", got, test.want, test.ev)
			}
		})
	}
}

func TestParsePeer(t *testing.T) {
	for value, want := range map[string]string{
		"inet:10.0.0.1:443": "10.0.0.1:443", "inet6:[::1]:80": "[::1]:80", "unix:/x": "", "inet": "", "inet:x": "",
	} {
		addr, ok := ParsePeer(value)
		if ok != (want != "") || ok && addr.String() != want {
			t.Errorf("ParsePeer(%q) = %v, %v, want %q", value, addr, ok, want)
		}
	}
}

func TestWorkloadName(t *testing.T) {
	const digest = "sha256:9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a9b7c6a5e4d3f2b1a"
	for _, test := range []struct{ image, digest, want string }{
		{"", "", "unknown"},
		{"nginx", "", "nginx"},
		{"nginx:1.25", "", "nginx"},
		{"docker.io/library/nginx:1.25", "", "nginx"},
		{"ghcr.io/a/b:v1@" + digest, "", "ghcr.io/a/b"},
		{"localhost:5000/app:2", "", "localhost:5000/app"},
		{"nginx", digest, "nginx@" + digest},
		{"nginx", "nginx@" + digest, "nginx@" + digest},
		{digest, "", digest},
		{"UPPER/Case:tag", "", "UPPER/Case"},
		{"bad\xff:1", "", `bad\xff`},
	} {
		if got := WorkloadName(test.image, test.digest); got != test.want {
			t.Errorf("WorkloadName(%q, %q) = %q, want %q", test.image, test.digest, got, test.want)
		}
	}
}
