package ingest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mayfly/trace"
)

func auditLog(t testing.TB, name string) []byte {
	content, err := os.ReadFile(filepath.Join("testdata", "auditd", name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestAuditdGolden reads what auditd 3.0.9 wrote on Linux 6.18 of a real program,
// in both of its formats.
func TestAuditdGolden(t *testing.T) {
	for _, name := range []string{"raw", "enriched"} {
		content := auditLog(t, name)
		if !(Auditd{}).Sniff(name, content) {
			t.Errorf("%s: not taken for auditd's", name)
		}
		golden(t, Auditd{}, Input{Name: name, Host: "vm"}, content, filepath.Join("auditd", name+".rows"))
	}
}

// TestAuditdAsAusearchReadsIt compares what ausearch finds in the logs with the
// rows: the calls of each kind with their results, and the executed programs.
func TestAuditdAsAusearchReadsIt(t *testing.T) {
	if _, err := exec.LookPath("ausearch"); err != nil {
		skipOrFail(t, "ausearch is not installed")
	}
	for _, name := range []string{"raw", "enriched"} {
		content := auditLog(t, name)
		rows, _, rejected, err := readAll(Auditd{}, Input{Name: name}, content)
		if err != nil || rejected != "" {
			t.Fatalf("%v, rejected %s", err, rejected)
		}
		for call, kind := range map[string]string{"execve": "exec", "openat": "open", "rename": "rename", "unlink": "unlink",
			"connect": "connect", "bind": "bind", "accept4": "accept", "fchmod": "chmod", "memfd_create": "memfd_create", "unshare": "unshare",
			"ptrace": "ptrace", "setuid": "setuid", "exit_group": "exit"} {
			text, err := exec.Command("ausearch", "-if", filepath.Join("testdata", "auditd", name+".log"), "-sc", call, "--raw").Output()
			if err != nil {
				t.Errorf("%s: ausearch -sc %s: %v", name, call, err)
				continue
			}
			found := bytes.Count(text, []byte("type=SYSCALL"))
			if call == "unlink" { // with rmdir
				found++
			}
			if call == "exit_group" { // with processes that a signal killed
				found += bytes.Count(content, []byte("type=ANOM_ABEND"))
			}
			if got := strings.Count(rows, `kind="`+kind+`"`); got != found {
				t.Errorf("%s: %d events %s, ausearch finds %d of %s", name, got, kind, found, call)
			}
			for _, m := range regexp.MustCompile(`audit\((\d+)\.(\d+):\d+\).*? exit=(-?\d+)`).FindAllStringSubmatch(string(text), -1) {
				want := fmt.Sprintf(`time_ns=%s%s000000 kind="%s".* ret=%s `, m[1], m[2], kind, m[3])
				if kind != "exit" && !regexp.MustCompile(want).MatchString(rows) {
					t.Errorf("%s: no row %s", name, want)
				}
			}
		}
	}
}

func auditLines(lines ...string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }

const auditSyscall = "type=SYSCALL msg=audit(100.000:%d): arch=c000003e syscall=%d success=yes exit=%d a0=%s a1=%s a2=%s a3=%s items=1 " +
	`ppid=1 pid=%d auid=0 uid=0 gid=0 euid=5 suid=0 fsuid=0 egid=6 sgid=0 fsgid=0 tty=pts0 ses=1 comm="x" exe="/x" key=(null)`

// TestAuditdRecords are records that no real run here gave.
func TestAuditdRecords(t *testing.T) {
	call := func(serial, number, exit, pid int, args ...string) string {
		return fmt.Sprintf(auditSyscall, serial, number, exit, args[0], args[1], args[2], args[3], pid)
	}
	for _, tc := range []struct {
		name string
		log  []byte
		want string
	}{
		{"interleaved", auditLines(call(1, 257, 3, 11, "ffffff9c", "0", "0", "0"), call(2, 257, 4, 12, "ffffff9c", "0", "241", "1b6"),
			`type=CWD msg=audit(100.000:2): cwd="/two"`, `type=CWD msg=audit(100.000:1): cwd="/one"`,
			`type=PATH msg=audit(100.000:1): item=0 name="f" nametype=NORMAL`, `type=EOE msg=audit(100.000:1): `,
			`type=PATH msg=audit(100.000:2): item=0 name="/two" nametype=PARENT`, `type=PATH msg=audit(100.000:2): item=1 name="g" nametype=CREATE`,
			`type=EOE msg=audit(100.000:2): `), `pid=11 ppid=1 uid=5 gid=6 comm="x" exe="/x" ret=3 path="/one/f" flags=0 mode=0
events time_ns=100000000000 kind="open" pid=12 ppid=1 uid=5 gid=6 comm="x" exe="/x" ret=4 path="/two/g" flags=577 mode=438`},
		{"old, without ends", auditLines(call(1, 90, 0, 11, "0", "1a4", "0", "0"), `type=CWD msg=audit(100.000:1):  cwd="/"`,
			`type=PATH msg=audit(100.000:1): item=0 name=2F61206200 inode=1`), `kind="chmod" pid=11 ppid=1 uid=5 gid=6 comm="x" exe="/x" ret=0 path="/a b\u0000" mode=420`},
		{"long argument", auditLines(call(1, 59, 0, 11, "0", "0", "0", "0"), `type=EXECVE msg=audit(100.000:1): argc=4 a0="sh" a1_len=6 a1[0]=616263`,
			`type=EXECVE msg=audit(100.000:1): a1[1]=646566 a2="y"`, `type=PATH msg=audit(100.000:1): item=0 name="/bin/sh" nametype=NORMAL`,
			`type=PROCTITLE msg=audit(100.000:1): proctitle="sh"`), `path="/bin/sh" argv=["sh","abcdef","y"] argv_cut=true`},
		{"node and syslog", auditLines(`Nov 29 06:00:00 gate audispd: node=db1 ` + call(1, 272, 0, 11, "10000000", "0", "0", "0")), `events db1 {Arch:amd64`},
		{"32-bit", auditLines(call(1, 50, 0, 11, "3", "5", "0", "0"), strings.Replace(call(2, 10, 0, 11, "0", "0", "0", "0"), "c000003e", "40000003", 1)), `via="compat"`},
		{"unix socket", auditLines(call(1, 42, -2, 11, "3", "0", "6e", "0"), `type=SOCKADDR msg=audit(100.000:1): saddr=01002F72756E2F7800`), `family="unix" addr="/run/x"`},
		{"crash", auditLines(`type=ANOM_ABEND msg=audit(100.000:1): auid=0 uid=0 gid=0 ses=1 pid=9 comm="x" exe="/x" sig=11 res=1`), `kind="exit" pid=9 comm="x" exe="/x" arg=11`},
		{"capset", auditLines(call(1, 126, 0, 11, "0", "0", "0", "0"), `type=CAPSET msg=audit(100.000:1): pid=11 cap_pi=0 cap_pp=3 cap_pe=3 cap_pa=0`), `kind="capset" .*arg=3`},
		{"openat2", auditLines(call(1, 437, 3, 11, "ffffff9c", "0", "0", "18"), `type=OPENAT2 msg=audit(100.000:1): oflag=02 mode=0600 resolve=0x8`), `flags=2 mode=384`},
	} {
		rows, _, rejected, err := readAll(Auditd{}, Input{Name: tc.name}, tc.log)
		got := strip(rows)
		if strings.Contains(tc.want, "Arch") {
			got = rows
		}
		found := strings.Contains(got, tc.want) || strings.Contains(tc.want, ".*") && regexp.MustCompile(tc.want).MatchString(got)
		if err != nil || rejected != "" || !found {
			t.Errorf("%s: error %v, rejected %s, got\n%swant %s", tc.name, err, rejected, got, tc.want)
		}
	}
}

// TestAuditdWaits: the last event of a log that goes on may lack records.
func TestAuditdWaits(t *testing.T) {
	whole := auditLog(t, "raw")
	all, _, _, err := readAll(Auditd{}, Input{Name: "x"}, whole)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for n := 1; n < len(lines); n += 7 {
		part := bytes.Join(lines[:n], nil)
		part = part[:len(part)-n%2*10] // within a line every other time
		rows, report, rejected, err := readAll(Auditd{}, Input{Name: "x"}, part)
		if err != nil || rejected != "" {
			t.Fatalf("%d lines: %v, %s", n, err, rejected)
		}
		at := len(part) - int(report.Waiting)
		more, _, rejected, err := readAll(Auditd{}, Input{Name: "x", Start: int64(at)}, whole[at:])
		if err != nil || rejected != "" || rows+more != all {
			t.Errorf("%d lines and the rest: not the rows of the whole: %v, rejected %s", n, err, rejected)
		}
	}
}

func TestAuditdRejects(t *testing.T) {
	good := `type=USER_LOGIN msg=audit(1.000:1): pid=1`
	for _, tc := range []struct{ line, why string }{
		{"hello", "no record"},
		{"type=SYSCALL msg=audit(05/01/2026 12:00:00.123:444) : x", "time and serial"},
		{"type=SYSCALL msg=audit(1.0:2): arch=1 syscall=1 pid=3", `arch "1": not known`},
		{"type=SYSCALL msg=audit(1.0:2): arch=c000003e syscall=x pid=3", "syscall:"},
		{"type=SYSCALL msg=audit(1.0:2): arch=c000003e syscall=59", "no pid"},
		{"type=SOCKADDR msg=audit(1.0:2): saddr=0", "saddr: "},
	} {
		_, report, rejected, err := readAll(Auditd{}, Input{Name: "x"}, auditLines(good, tc.line))
		if err != nil || report.Rejected != 1 || !strings.Contains(rejected, strings.ReplaceAll(tc.why, `"`, `\"`)) || !strings.Contains(rejected, `"line":2`) {
			t.Errorf("%s: got %v, %d rejected, %s, want %q", tc.line, err, report.Rejected, rejected, tc.why)
		}
	}
}

// TestFormatsOfOneHost takes two formats, neither of which names its host, at once.
func TestFormatsOfOneHost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "trace")
	c, err := Convert(context.Background(), []string{filepath.Join("testdata", "auditd"), filepath.Join("testdata", "strace", "shell.strace")},
		ConvertOptions{Trace: dir})
	if err != nil {
		t.Fatal(err)
	}
	if c.Taken != 3 || c.Rejected != 0 || len(c.Bad) != 0 {
		t.Errorf("got %+v", c)
	}
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	rows, sources := int64(0), map[string]bool{}
	for _, table := range trace.Tables() {
		for _, f := range tr.Files(table) {
			rows += f.Rows
			sources[f.Meta.Source] = true
		}
	}
	if rows != c.Rows || !sources["auditd"] || !sources["strace"] {
		t.Errorf("%d rows of %v in the trace, took %d", rows, sources, c.Rows)
	}
}

func FuzzAuditd(f *testing.F) {
	for _, name := range []string{"raw", "enriched"} {
		content := auditLog(f, name)
		f.Add(content[:min(len(content), 6000)])
	}
	f.Add([]byte("type=SYSCALL msg=audit(1.0:2): arch=c000003e syscall=59 pid=3\ntype=EXECVE msg=audit(1.0:2): argc=9999999 a0_len=5 a0[0]=41\n"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzSource(t, Auditd{}, content) })
}

func BenchmarkAuditd(b *testing.B) {
	content := bytes.Repeat(auditLog(b, "raw"), 50)
	b.SetBytes(int64(len(content)))
	for range b.N {
		in := Input{Reader: bytes.NewReader(content), Limits: Limits{}.orDefaults()}
		sink := &Sink{rows: discardRows{}, quarantine: newQuarantine(), limits: in.Limits, machines: map[string]Machine{}}
		if err := (Auditd{}).Read(context.Background(), &in, sink); err != nil {
			b.Fatal(err)
		}
	}
}
