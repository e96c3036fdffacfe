package falco

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"mayfly/trace"
)

const (
	begin  = int64(1_780_000_000_000_000_000)
	second = int64(1e9)
)

var (
	web = &trace.Container{ContainerID: strings.Repeat("a1", 32), Name: "web-1", Image: "docker.io/library/nginx:1.25", Runtime: "docker",
		ImageID: "sha256:0123456789abcdef", ImageDigest: "nginx@sha256:ff", Facts: trace.FactsFull, Privileged: new(false), Labels: []string{"tier=front"}}
	pod    = &trace.Container{ContainerID: strings.Repeat("b2", 32), Pod: "api-1", PodNamespace: "prod", Runtime: "containerd", Facts: trace.FactsPartial}
	nobody = &trace.Container{ContainerID: strings.Repeat("c3", 32), Facts: trace.FactsUnknown}
)

// event makes an event of the web container, second by second.
func (w *writer) event(kind trace.Kind, pid, ppid int32, change func(e *trace.Event)) {
	n := int64(len(w.events))
	e := trace.Event{TimeNS: begin + n*second, BootNS: 100*second + n*second, Kind: string(kind), ContainerID: web.ContainerID,
		PID: pid, TID: pid, StartNS: int64(pid), PPID: ppid, Comm: "nginx", Exe: "/usr/sbin/nginx", Ret: new(int64(0)), UID: new(int64(33)), GID: new(int64(0))}
	if change != nil {
		change(&e)
	}
	w.events = append(w.events, e)
}

type writer struct {
	events    []trace.Event
	processes []trace.Process
}

func (w *writer) trace(t testing.TB) *trace.Trace {
	t.Helper()
	dir := t.TempDir()
	out, err := trace.NewWriter(dir, trace.Meta{Host: "h1", Arch: "amd64", Kernel: "6.1", BootID: "b", Recorder: "test", Source: "mayfly record",
		FromNS: begin, ToNS: begin + 10_000*second}, trace.DefaultWriterOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{out.Events(w.events), out.Processes(w.processes), out.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// run tries conditions, a rule each, on the events in a container. It returns for
// each a letter per event: y, n, or ? where the trace cannot tell.
func run(t testing.TB, tr *trace.Trace, in *trace.Container, conditions []string) []string {
	t.Helper()
	var rules strings.Builder
	for i, c := range conditions {
		fmt.Fprintf(&rules, "- {rule: r%d, desc: d, output: o, priority: INFO, condition: '%s'}\n", i, strings.ReplaceAll(c, "'", "''"))
	}
	w := NewWatch(compile(t, rules.String()))
	if err := w.Running(context.Background(), tr); err != nil {
		t.Fatal(err)
	}
	got := make([]strings.Builder, len(conditions))
	for row, err := range trace.Merge(context.Background(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Event == nil {
			continue
		}
		letters := []byte(strings.Repeat("n", len(conditions)))
		for _, h := range w.Row(&row, w.Scope(in)) {
			letters[h.Rule] = 'y'
			if h.Unsure {
				letters[h.Rule] = '?'
			}
		}
		for i := range got {
			got[i].WriteByte(letters[i])
		}
	}
	out := make([]string, len(conditions))
	for i := range got {
		out[i] = got[i].String()
	}
	return out
}

func try(t *testing.T, tr *trace.Trace, in *trace.Container, table [][2]string) {
	t.Helper()
	conditions := make([]string, len(table))
	for i, row := range table {
		conditions[i] = row[0]
	}
	for i, got := range run(t, tr, in, conditions) {
		if want := strings.ReplaceAll(table[i][1], " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", table[i][0], got, want)
		}
	}
}

// TestFields tries each field on events that have it, have it not, and do not know it.
func TestFields(t *testing.T) {
	var w writer
	w.event(trace.Exec, 10, 1, func(e *trace.Event) {
		e.Path, e.Argv, e.Cwd, e.ExeOrigin, e.Comm = "/bin/dash", []string{"sh", "-c", "Cat /etc/x"}, "/srv", trace.OriginWritten, "dash"
	})
	w.event(trace.FileOpen, 10, 1, func(e *trace.Event) { e.Path, e.Flags, e.Ret = "/etc/Shadow", new(int64(0)), new(int64(3)) })
	w.event(trace.FileOpen, 11, 1, func(e *trace.Event) {
		e.Path, e.Flags, e.Ret, e.Exe = "/var/log/a.log", new(int64(0x241)), new(int64(-13)), ""
	})
	w.event(trace.FileOpen, 11, 1, func(e *trace.Event) { e.Path, e.Flags, e.Ret = "/var", new(int64(0x10000)), nil })
	w.event(trace.Connect, 11, 1, func(e *trace.Event) {
		e.Family, e.Addr, e.Port, e.LocalAddr, e.LocalPort, e.Ret = "inet", "10.1.2.3", new(int64(443)), "172.17.0.2", new(int64(40000)), new(int64(-115))
	})
	w.event(trace.Accept, 11, 1, func(e *trace.Event) {
		e.Family, e.Addr, e.Port, e.LocalAddr, e.LocalPort, e.Ret = "inet6", "::ffff:10.9.9.9", new(int64(5000)), "fd00::1", new(int64(80)), new(int64(7))
	})
	w.event(trace.SetUID, 11, 1, func(e *trace.Event) { e.Arg = new(int64(0)) })
	w.event(trace.Rename, 11, 1, func(e *trace.Event) { e.Path, e.Path2 = "/a", "/b" })
	w.event(trace.Connect, 11, 1, func(e *trace.Event) { e.Family, e.Addr = "unix", "/run/docker.sock" })
	w.event(trace.Listen, 11, 1, func(e *trace.Event) { e.Family, e.LocalAddr, e.LocalPort = "inet", "0.0.0.0", new(int64(31337)) })
	try(t, w.trace(t), web, [][2]string{
		//                                              exec, 3 opens, connect, accept, setuid, rename, unix, listen
		{"evt.type=execve", "y nnn n n n n n n"},
		{"evt.type in (open, connect)", "n yyy y n n n y n"},
		{"not evt.type in (openat, execve)", "y yyy y y y y y y"}, // each of a kind counts as any of its types
		{"evt.dir=<", "y yyy y y y y y y"},
		{"evt.num<0 or evt.num=3", "n nyn n n n n n n"},
		{"evt.failed=true", "n ny? y n n n n n"},
		{"evt.failed=false", "y yn? n y y y y y"},
		{"evt.res=EACCES", "n ny? n n n n n n"},
		{"evt.res=SUCCESS", "y yn? n y y y y y"},
		{"evt.rawres<0", "n ny? y n n n n n"},
		{"evt.is_open_read=true", "n yny n n n n n n"},
		{"evt.is_open_write=true", "n nyn n n n n n n"},
		{"evt.arg.flags contains O_TRUNC", "? nyn n ? n n n n"},
		{"evt.arg[res]=SUCCESS", "y yn? n y y y y y"},
		{"evt.arg.oldpath=/a and evt.arg.newpath=/b", "n nnn n n n y n n"},
		{"fs.path.source=/a and fs.path.target=/b", "n nnn n n n y n n"},
		{"fs.path.name startswith /var", "n nyy n n n n n n"},

		{"proc.name=dash", "y ynn n n n n n n"},
		{"proc.exepath=/bin/dash", "y n?n n n n n n n"},
		{"proc.exe=sh", "y y?? ? ? ? ? ? ?"},
		{`proc.cmdline="dash -c Cat /etc/x"`, "y y?? ? ? ? ? ? ?"},
		{"proc.args icontains cat", "y y?? ? ? ? ? ? ?"},
		{"proc.exeline startswith sh", "y y?? ? ? ? ? ? ?"},
		{"proc.cmdnargs=2", "y y?? ? ? ? ? ? ?"},
		{"proc.cwd=/srv/", "y y?? ? ? ? ? ? ?"},
		{"proc.is_exe_upper_layer=true", "y y?? ? ? ? ? ? ?"},
		{"proc.is_exe_from_memfd=true", "n n?? ? ? ? ? ? ?"},
		{"proc.pid=10 and proc.ppid=1", "y ynn n n n n n n"},
		{"proc.duration < 100999999991", "y ynn n n n n n n"},
		{"thread.ismain=true", "y yyy y y y y y y"},
		{"user.uid=0", "n nnn n n y n n n"},
		{"user.name=root", "? ??? ? ? y ? ? ?"},
		{"group.gid=0 and group.name=root", "y yyy y y y y y y"},

		{"fd.num>=0", "n yn? ? y n n ? ?"},
		{"fd.num=-1", "n ny? ? n n n ? ?"},
		{"fd.typechar='f'", "n yyn n n n n n n"},
		{"fd.type in (directory, ipv6, unix)", "n nny n y n n y n"},
		{"fd.name=/etc/Shadow", "n ynn n n n n n n"},
		{"fd.name endswith docker.sock", "n nnn n n n n y n"},
		{`fd.name="172.17.0.2:40000->10.1.2.3:443"`, "n nnn y n n n n n"},
		{`fd.name="0.0.0.0:31337"`, "n nnn n n n n n y"},
		{"fd.directory=/var/log", "n nyn n n n n n n"},
		{"tolower(fd.filename)=shadow", "n ynn n n n n n n"},
		{"len(fd.filename)=6", "n ynn n n n n n n"},
		{"fd.sip=10.1.2.3", "n nnn y n n n n n"},
		{"fd.snet in (10.0.0.0/8)", "n nnn y n n n n n"},
		{"fd.cip=10.9.9.9", "n nnn n y n n n n"},
		{"fd.ip in (10.9.9.9, 10.1.2.3)", "n nnn y y n n n n"},
		{"fd.net != 10.0.0.0/8", "n nnn n n n n n y"},
		{"fd.lip=172.17.0.2 and fd.rport=443 and fd.lport=40000", "n nnn y n n n n n"},
		{"fd.sport=http", "n nnn n y n n n n"},
		{"fd.sport in (443, 31337)", "n nnn y n n n n y"},
		{"fd.cport exists", "n nnn y y n n n n"},
		{"fd.l4proto=tcp", "n nnn ? y n n n y"},
		{"fd.is_server=true", "n nnn n y n n n y"},
		{"fd.connected=true", "n nnn ? y n n y n"},

		{"proc.tty=0", "? ??? ? ? ? ? ? ?"},
		{"proc.tty=0 and evt.type=open", "n ??? n n n n n n"},
		{"proc.tty=0 or evt.type=open", "? yyy ? ? ? ? ? ?"},
		{"not proc.tty=0 and evt.type=connect and fd.sport=443", "n nnn ? n n n n n"},
		{"proc.tty=val(proc.name)", "? ??? ? ? ? ? ? ?"},
		{"proc.exepath=val(proc.exepath)", "y y?y y y y y y y"},
		{"basename(proc.exepath)=val(proc.name)", "y n?y y y y y y y"},
	})
}

// TestConnects: libsinsp names a unix socket's connection by more than its path, and knows
// nothing of the peer of a connect that failed but what was asked for.
func TestConnects(t *testing.T) {
	var w writer
	connect := func(family, addr string, port, ret int64) {
		w.event(trace.Connect, 11, 1, func(e *trace.Event) {
			e.Family, e.Addr, e.LocalAddr, e.Ret = family, addr, "172.17.0.2", new(ret)
			if family != "unix" {
				e.Port, e.LocalPort = new(port), new(int64(40000))
			}
		})
	}
	connect("unix", "/run/docker.sock", 0, 0)
	connect("unix", "/run/docker.sock", 0, -2)
	connect("inet", "10.1.2.3", 443, 0)
	connect("inet", "10.1.2.3", 443, -115) // under way
	connect("inet", "10.1.2.3", 443, -111)
	w.event(trace.Bind, 11, 1, func(e *trace.Event) { e.Family, e.LocalAddr, e.Ret = "unix", "/run/a.sock", new(int64(0)) })
	try(t, w.trace(t), web, [][2]string{
		{"fd.name=/run/docker.sock", "nn nnn n"},
		{`fd.name endswith " /run/docker.sock"`, "yn nnn n"},
		{"fd.name=/run/a.sock", "nn nnn y"},
		{"fd.name contains 10.1.2.3", "nn yyn n"},
		{"fd.typechar=u", "yy nnn y"},
		{"fd.typechar=4", "nn yyy n"},
		{"fd.sport=443", "nn yyn n"},
		{"fd.sport exists", "nn yyn n"},
		{"fd.sip=10.1.2.3", "nn yyn n"},
		{"fd.snet in (10.0.0.0/8)", "nn yyn n"},
		{"fd.ip=10.1.2.3", "nn yyn n"},
		{"evt.arg.addr=/run/docker.sock", "yy nnn n"},
		{"evt.arg.addr=10.1.2.3:443", "nn yyy n"},
		{"evt.arg[addr]=/run/a.sock", "nn nnn y"},
		{"evt.failed=true", "ny nyy n"},
	})
}

func TestOperators(t *testing.T) {
	var w writer
	for _, path := range []string{"/etc/ssl/a.conf", "/etc", "/etcetera", "/opt/x/bin/y", "/home/u/.ssh/id"} {
		w.event(trace.FileOpen, 10, 1, func(e *trace.Event) { e.Path, e.Flags, e.Mode = path, new(int64(2)), new(int64(0o4755)) })
	}
	try(t, w.trace(t), web, [][2]string{
		{"fd.name pmatch (/etc)", "yynnn"},
		{"fd.name pmatch (/etc/, /opt/*/bin)", "yynyn"},
		{"fd.name pmatch (/)", "yyyyy"},
		{"fd.name pmatch ()", "nnnnn"},
		{"fd.name startswith /etc", "yyynn"},
		{"fd.name endswith y", "nnnyn"},
		{"fd.name contains tc", "yyynn"},
		{"fd.name icontains SSH", "nnnny"},
		{"fd.name glob /home/*/.ssh/*", "nnnny"},
		{"fd.name glob '/etc*'", "yyynn"},
		{"fd.name glob '/e[a-t]c'", "nynnn"},
		{"fd.name glob '/???'", "nynnn"},
		{"fd.name iglob '/ETC/*'", "ynnnn"},
		{"fd.name regex '/etc'", "nynnn"},
		{"fd.name regex '/etc.*'", "yyynn"},
		{"fd.name in (/etc, /opt/x/bin/y)", "nynyn"},
		{"fd.name != /etc", "ynyyy"},
		{"fd.name intersects (/etc)", "nynnn"},
		{"evt.arg.mode contains S_ISUID and fd.name=/etc", "nynnn"},
		{"fd.name bcontains 2f", "?????"}, // not evaluated
		{"fd.name > 3", "?????"},
	})
}

func TestContainers(t *testing.T) {
	var w writer
	w.event(trace.Unlink, 10, 1, func(e *trace.Event) { e.Path = "/x" })
	tr := w.trace(t)
	for _, c := range []struct {
		in    *trace.Container
		table [][2]string
	}{
		{web, [][2]string{{"container.id=a1a1a1a1a1a1", "y"}, {"container.id != host", "y"}, {"container.name=web-1", "y"}, {"container.image=docker.io/library/nginx:1.25", "y"},
			{"container.image.repository=docker.io/library/nginx", "y"}, {"container.image.tag=1.25", "y"}, {"container.image.digest=sha256:ff", "y"},
			{"container.image.id=0123456789ab", "y"}, {"container.type=docker", "y"}, {"container.privileged=true", "n"}, {"container.privileged=false", "y"},
			{"container.label[tier]=front", "y"}, {"container.label[x] exists", "n"}, {"k8s.pod.name exists", "n"}, {"k8s.ns.name != x", "n"}, {"not k8s.ns.name=x", "y"}}},
		{pod, [][2]string{{"k8s.ns.name=prod and k8s.pod.name=api-1", "y"}, {"container.image.repository=x", "?"}, {"container.privileged=true", "?"}, {"container.type=containerd", "y"}}},
		{nobody, [][2]string{{"container.image.repository=x", "?"}, {"container.name=x or evt.type=unlink", "y"}, {"k8s.ns.name=x", "?"}}},
		{Host, [][2]string{{"container.id=host", "y"}, {"container.image.repository exists", "n"}, {"not container.image.repository=x", "y"}}},
	} {
		try(t, tr, c.in, c.table)
	}
}

// TestScope: rules that a container's facts rule out are not tried there.
func TestScope(t *testing.T) {
	p := compile(t, `
- {rule: nginx, desc: d, output: o, priority: INFO, condition: evt.type=unlink and container.image.repository endswith nginx}
- {rule: other, desc: d, output: o, priority: INFO, condition: evt.type=unlink and container.image.repository=redis}
`)
	w := NewWatch(p)
	if s := w.Scope(web); !s.Has(0) || s.Has(1) {
		t.Errorf("web: nginx %v, other %v", s.Has(0), s.Has(1))
	}
	if s := w.Scope(nobody); !s.Has(0) || !s.Has(1) {
		t.Error("a container of which nothing is known: a rule is ruled out")
	}
	same := *web
	same.ContainerID = "z"
	if w.Scope(web) != w.Scope(&same) {
		t.Error("two containers that differ in nothing that rules ask for have two scopes")
	}
}

// TestAncestors follows processes through forks, execs and pids that come again.
func TestAncestors(t *testing.T) {
	var w writer
	w.processes = []trace.Process{{TimeNS: begin - second, BootNS: 1, PID: 1, StartNS: 1, Comm: "init", Exe: "/sbin/init", Argv: []string{"init"}},
		{TimeNS: begin - second, BootNS: 1, PID: 5, StartNS: 5, PPID: 1, Comm: "sshd", Exe: "/usr/sbin/sshd", Argv: []string{"sshd", "-D"}}}
	w.event(trace.Fork, 5, 1, func(e *trace.Event) { e.TargetPID, e.Comm = new(int64(20)), "sshd" })
	w.event(trace.Exec, 20, 5, func(e *trace.Event) { e.Path, e.Comm, e.Argv = "/bin/bash", "bash", []string{"-bash"} })
	w.event(trace.Fork, 20, 5, func(e *trace.Event) { e.TargetPID, e.Comm = new(int64(21)), "bash" })
	w.event(trace.Unlink, 21, 20, func(e *trace.Event) { e.Path, e.Comm = "/x", "bash" })
	w.event(trace.Exec, 21, 20, func(e *trace.Event) {
		e.Path, e.Comm, e.Argv = "/bin/cat", "cat", []string{"cat", "a"}
	})
	w.event(trace.Exit, 20, 5, func(e *trace.Event) { e.Comm = "bash" })
	w.event(trace.Unlink, 21, 20, func(e *trace.Event) { e.Path, e.Comm = "/x", "renamed" })
	w.event(trace.Exec, 20, 1, func(e *trace.Event) { e.StartNS, e.Path, e.Comm = 77, "/bin/new", "new" }) // the pid again
	w.event(trace.Unlink, 90, 89, func(e *trace.Event) { e.Path = "/x" })                                  // whose parent nobody saw
	try(t, w.trace(t), web, [][2]string{
		// fork, exec bash, fork, unlink by the fork, exec cat, exit, unlink, exec new, unlink of a stranger
		{"proc.name=cat", "nnnnynynn"},
		{"proc.name=bash", "nyyynynnn"},
		{`proc.pname=bash`, "nnnyynyn?"},
		{`proc.pcmdline="sshd -D"`, "nyynnynn?"},
		{"proc.aname[2]=sshd", "nnnyynyn?"},
		{"proc.aname[0]=cat", "nnnnynynn"},
		{"proc.aname=sshd", "nyyyyyyn?"},
		{"proc.aname in (cron, init)", "yyyyyyyy?"},
		{"not proc.aname in (cron, anacron)", "yyyyyyyy?"},
		{"proc.pexepath=/sbin/init", "ynnnnnny?"},
		{"proc.aexepath[3]=/sbin/init", "nnnyynyn?"},
	})
}

// TestUnseen: Falco has no events of what comes through io_uring.
func TestUnseen(t *testing.T) {
	var w writer
	w.event(trace.Unlink, 10, 1, func(e *trace.Event) { e.Path, e.Via = "/x", trace.ViaIOUring })
	try(t, w.trace(t), web, [][2]string{{"evt.type=unlink", "n"}})
}

// TestPIDAgain: a pid that another process got says nothing of the one before.
func TestPIDAgain(t *testing.T) {
	var w writer
	w.event(trace.Exec, 21, 1, func(e *trace.Event) { e.Path, e.Comm, e.Argv = "/bin/cat", "cat", []string{"cat", "a"} })
	w.event(trace.Unlink, 21, 1, func(e *trace.Event) { e.Path = "/x" })
	w.event(trace.Unlink, 21, 1, func(e *trace.Event) { e.Path, e.StartNS, e.Comm = "/x", 99, "other" })
	try(t, w.trace(t), web, [][2]string{{`proc.cmdline="cat a"`, "yy?"}, {"proc.name=cat", "yyn"}})
}
