package ingest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"mayfly/trace"
)

// TestStraceGolden reads what strace 6.1 printed of a real run: a shell, its
// children, a signal that kills it, sockets, changes of identity.
func TestStraceGolden(t *testing.T) {
	for _, name := range []string{"shell", "calls", "stderr"} {
		content, err := os.ReadFile(filepath.Join("testdata", "strace", name+".strace"))
		if err != nil {
			t.Fatal(err)
		}
		if !(Strace{}).Sniff(name, content) {
			t.Errorf("%s: not taken for strace's", name)
		}
		golden(t, Strace{}, Input{Name: name, Host: "web"}, content, filepath.Join("strace", name+".rows"))
	}
}

// TestStraceLines are lines that no real run here gave, each with the row that it
// becomes.
func TestStraceLines(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"escapes", `open("/tmp/a\"b\\\n\t\1\0012\377\x41", O_WRONLY|O_CREAT, 0644) = 3` + "\n",
			`kind="open" ret=3 path="/tmp/a\"b\\\n\t\u0001\u00012\ufffdA" flags=65 mode=420`},
		{"deleted file", `9 openat(AT_FDCWD</root>, "x", O_RDONLY) = 5</root/x (deleted)>` + "\n", `path="/root/x" flags=0 mode=0`},
		{"path with an end", `9 openat(AT_FDCWD</root>, "a) = 3", O_RDONLY) = -1 ENOENT (No such file or directory)` + "\n",
			`pid=9 tid=9 ret=-2 path="/root/a) = 3" flags=0 mode=0`},
		{"time of day past midnight", "9 23:59:59.5 getpid() = 9\n9 00:00:01.25 getpid() = 9\n",
			`sequences time_ns=86401250000000 pid=9 tid=9 chunk=1 calls=[39]`},
		{"strace detached", "9 accept4(3,  <detached ...>\n", `calls=[288]`},
		{"time and duration", "9 1700000000.000001 rmdir(\"/x\") = 0 <0.000009>\n", `time_ns=1700000000000010000 kind="unlink"`},
		{"name beside pid, call numbers", "9<sh> 1700000000.5 [  84] rmdir(\"/x\") = 0\n", `time_ns=1700000000500000000 kind="unlink" pid=9`},
		{"core", "9 +++ killed by SIGSEGV (core dumped) +++\n", `kind="exit" pid=9 tid=9 arg=139`},
		{"real-time signal", "9 +++ killed by SIGRT_2 +++\n", `kind="exit" pid=9 tid=9 arg=34`},
		{"argv cut", `9 execve("/bin/x", ["x", "a"..., ...], 0x7ffc /* 3 vars */) = 0` + "\n",
			`kind="exec" pid=9 tid=9 comm="x" exe="/bin/x" ret=0 path="/bin/x" argv=["x","a"] argv_cut=true`},
		{"argv not readable", `9 execve("/bin/x", 0x7ffd, 0x7ffc) = -1 EFAULT (Bad address)` + "\n", `kind="exec" pid=9 tid=9 ret=-14 path="/bin/x"`},
		{"32-bit", "strace: [ Process PID=9 runs in 32 bit mode. ]\n9 unlink(\"/x\") = 0\n9 waitpid(-1, NULL, 0) = 4\n",
			`calls=[32778,32775]`},
		{"32-bit event", "strace: [ Process PID=9 runs in 32 bit mode. ]\n9 unlink(\"/x\") = 0\n", `via="compat"`},
		{"no such call now", "9 syscall_0x1e3(1, 2) = -1 ENOSYS (Function not implemented)\n", `calls=[483]`},
		{"unix sockets", "9 connect(3<UNIX-STREAM:[12]>, {sa_family=AF_UNIX, sun_path=@\"/x\\0y\"}, 9) = 0\n",
			`kind="connect" pid=9 tid=9 ret=0 family="unix" addr="@/x\u0000y"`},
		{"inet6 and -yy", `9 accept(3<TCPv6:[[::1]:80]>, {sa_family=AF_INET6, sin6_port=htons(5), inet_pton(AF_INET6, "::1", &sin6_addr)}, [28]) = 4<TCPv6:[[::1]:80->[::1]:5]>` + "\n",
			`family="inet6" addr="::1" port=5 local_addr="::1" local_port=80`},
		{"capabilities", "9 capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_KILL, permitted=0, inheritable=0}) = 0\n",
			`kind="capset" pid=9 tid=9 ret=0 arg=33`},
		{"identity", "9 setresuid(0, 33, -1) = 0\n9 setuid(-1) = -1 EINVAL (Invalid argument)\n", `ret=-22 arg=33`},
		{"mount", `9 mount("proc", "/mnt", "proc", MS_NOSUID|MS_NODEV, NULL) = 0` + "\n", `path="proc" path2="/mnt" flags=6 addr="proc"`},
		{"thread becomes leader", "9 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD, parent_tid=[10]) = 10\n10 execve(\"/a\", [\"a\"], 0x7f <unfinished ...>\n" +
			"9 +++ superseded by execve in pid 10 +++\n9 <... execve resumed>) = 0\n", `kind="exec" pid=9 tid=9 comm="a" exe="/a" ret=0 path="/a" argv=["a"]`},
		{"program before the end of vfork", "9 chdir(\"/w\") = 0\n9 vfork( <unfinished ...>\n10 execve(\"/bin/rm\", [\"rm\"], 0x7f) = 0\n" +
			"9 <... vfork resumed>) = 10\n10 unlink(\"x\") = 0\n", `kind="unlink" pid=10 tid=10 ppid=9 comm="rm" exe="/bin/rm" ret=0 path="/w/x"`},
		{"thread", "9 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD, parent_tid=[10]) = 10\n10 rmdir(\"/x\") = 0\n", `kind="unlink" pid=9 tid=10`},
	} {
		rows, report, rejected, err := readAll(Strace{}, Input{Name: tc.name}, []byte(tc.text))
		if err != nil || report.Rejected != 0 || !strings.Contains(strip(rows), tc.want) {
			t.Errorf("%s: %s got, error %v, rejected %s:\n%swant %s", tc.name, tc.text, err, rejected, strip(rows), tc.want)
		}
	}
}

// strip takes the machine out of lines of rows.
func strip(rows string) string {
	return regexp.MustCompile(`(?m)^(\w+ )\S* \{[^}]*\} `).ReplaceAllString(rows, "$1")
}

func TestStraceRejects(t *testing.T) {
	for _, tc := range []struct{ line, why string }{
		{"hello", "no call"},
		{"nonsense(1) = 0", `no call is named "nonsense"`},
		{`read(3, "abc"`, "a call without an end"},
		{`9 <... openat resumed>) = 3`, "does not begin in this text"},
		{`9 open("/x, O_RDONLY) = 3`, "arguments without an end"},
		{`9 open(0x12 nonsense, O_RDONLY) = x`, "a result that is no number"},
		{`9 +++ exited with 999 +++`, "exit status"},
		{`9 +++ killed by SIGNONE +++`, "signal"},
		{`9 +++ gone +++`, "no end of a process"},
		{`9 unlink(1) = 0`, "unlink: argument 1"},
		{`9 connect() = 0`, "connect: 0 arguments"},
	} {
		_, report, rejected, err := readAll(Strace{}, Input{Name: "x"}, []byte("9 getpid() = 9\n"+tc.line+"\n9 getpid() = 9\n"))
		if err != nil || report.Rejected != 1 || !strings.Contains(rejected, strings.ReplaceAll(tc.why, `"`, `\"`)) || !strings.Contains(rejected, `"line":2`) {
			t.Errorf("%s: got %v, %d rejected, %s, want %q", tc.line, err, report.Rejected, rejected, tc.why)
		}
	}
}

// TestStraceUnfinishedFile holds back a last line that may go on.
func TestStraceUnfinishedFile(t *testing.T) {
	text := "9 getpid() = 9\n9 read(3, \"abc"
	rows, report, _, err := readAll(Strace{}, Input{Name: "x"}, []byte(text))
	if err != nil || report.Rejected != 0 || report.Waiting != 14 || !strings.Contains(rows, "calls=[39]") {
		t.Errorf("got %v, %+v, %s", err, report, rows)
	}
	in := Input{Name: "x", Start: int64(len(text) - 14)}
	rows, report, _, err = readAll(Strace{}, in, []byte(text[len(text)-14:]+"\", 3) = 3\n"))
	if err != nil || report.Rejected != 0 || !strings.Contains(rows, "calls=[0]") {
		t.Errorf("continued: got %v, %+v, %s", err, report, rows)
	}
}

// TestStraceRun compares what strace says of a real program with what the program
// was made to do.
func TestStraceRun(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		skipOrFail(t, "strace is not installed")
	}
	dir := t.TempDir()
	script := "cd " + dir + "; mkdir d; echo x >d/f; mv d/f 'd/g h'; ln -s 'g h' d/l; chmod 600 d/l; rm d/l; " +
		"(exit 7); sh -c 'kill -9 $$'; cat d/none 2>/dev/null; true"
	for _, flags := range []string{"-f", "-f -ttt -y", "-f -tt -T -yy", "-f -t -i", "-f -ttt -n -s 4"} {
		log := filepath.Join(t.TempDir(), "log")
		args := append(strings.Fields(flags), "-o", log, "sh", "-c", script)
		if text, err := exec.Command("strace", args...).CombinedOutput(); err != nil {
			if strings.Contains(string(text), "ptrace") {
				skipOrFail(t, "ptrace is not allowed here: "+string(text))
			}
			t.Fatalf("strace %s: %v: %s", flags, err, text)
		}
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		rows, report, rejected, err := readAll(Strace{}, Input{Name: "run"}, content)
		if err != nil || report.Rejected != 0 || report.Waiting != 0 {
			t.Errorf("%s: error %v, rejected %s, %d bytes wait", flags, err, rejected, report.Waiting)
		}
		rows = strip(rows)
		for _, want := range []string{
			`kind="open" .*path="` + dir + `/d/f" flags=577 mode=438`,
			`kind="rename" .*path="` + dir + `/d/f" path2="` + dir + `/d/g h"`,
			`kind="link" .*path="` + dir + `/d/g h" path2="` + dir + `/d/l"`,
			`kind="chmod" .*path="` + dir + `/d/l" .*mode=384`,
			`kind="unlink" .*path="` + dir + `/d/l"`,
			`kind="open" .*ret=-2 path="` + dir + `/d/none"`,
			`kind="exit" .*arg=1792`, `kind="exit" .*arg=9`, `kind="fork" .*target_pid=\d+`,
			`kind="exec" .*comm="chmod" exe="/\S*/chmod" ret=0 .*argv=\["chmod","600","d/l"\]`,
			`processes .*comm="sh" .*exit_status=9`,
		} {
			if strings.Contains(flags, "-s 4") {
				want = strings.ReplaceAll(want, `"d/l"\]`, `"d/l"\]`)
				want = strings.ReplaceAll(want, `argv=\["chmod"`, `argv=\["chmo"`)
			}
			if !regexp.MustCompile(want).MatchString(rows) {
				t.Errorf("%s: no row %s in\n%s", flags, want, rows[:min(len(rows), 20000)])
			}
		}
		// Each line that is a call is one call of the sequences, once.
		calls := regexp.MustCompile(`(?m)^\d+ .*?\b[a-z0-9_]+\(.*$`).FindAllString(string(content), -1)
		got := 0
		for _, m := range regexp.MustCompile(`calls=\[([^\]]*)\]`).FindAllStringSubmatch(rows, -1) {
			got += strings.Count(m[1], ",") + 1
		}
		if got != len(calls) {
			t.Errorf("%s: got %d calls, want %d", flags, got, len(calls))
		}
	}
}

func skipOrFail(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// hids returns a recording of the dataset hids-docker, by the end of its name.
func hids(t testing.TB, name string) []byte {
	t.Helper()
	z, err := xz.NewReader(bytes.NewReader(sampleFile(t, "hids-docker-strace/traces.tar.xz")))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(z)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("hids-docker: no %s", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(head.Name, name) {
			content, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
}

// TestStraceHIDS reads real recordings of a WordPress container. They have
// neither times nor pids.
func TestStraceHIDS(t *testing.T) {
	content := hids(t, "iscc/exec/wordpress_exec_0")
	golden(t, Strace{}, Input{Name: "wordpress_exec_0"}, bytes.Join(bytes.SplitAfter(content, []byte("\n"))[:150], nil),
		"strace/wordpress_exec_0.rows")
	_, report, rejected, err := readAll(Strace{}, Input{Name: "wordpress_exec_0"}, content)
	if lines := int64(bytes.Count(content, []byte("\n"))); err != nil || report.Rejected > lines/1000 {
		t.Errorf("got %v, %d of %d lines rejected: %s", err, report.Rejected, lines, rejected)
	}
}

// discardRows is a rowTaker that keeps nothing.
type discardRows struct{}

func (discardRows) event(origin, *trace.Event) error         { return nil }
func (discardRows) sequence(origin, *trace.Sequence) error   { return nil }
func (discardRows) process(origin, *trace.Process) error     { return nil }
func (discardRows) container(origin, *trace.Container) error { return nil }
func (discardRows) loss(origin, *trace.Loss) error           { return nil }

func FuzzStrace(f *testing.F) {
	for _, name := range []string{"shell", "calls", "stderr"} {
		content, err := os.ReadFile(filepath.Join("testdata", "strace", name+".strace"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content[:min(len(content), 4000)])
		f.Add(content[max(0, len(content)-4000):])
	}
	f.Add([]byte("9 open(\"\\"))
	f.Add([]byte("9 +++ superseded by execve in pid 9 +++\n9 clone3({flags=CLONE_VM}) = 9\n"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzSource(t, Strace{}, content) })
}

// BenchmarkStrace reads real text of a container (lines without pids and times)
// and of a shell (-f -ttt -y). What one would take instead is a regular
// expression by line, as the published parsers of this dataset do.
func BenchmarkStrace(b *testing.B) {
	texts := map[string][]byte{"container": hids(b, "iscc/normal/wordpress_normal_1")}
	content, err := os.ReadFile(filepath.Join("testdata", "strace", "shell.strace"))
	if err != nil {
		b.Fatal(err)
	}
	texts["shell"] = bytes.Repeat(content, 20)
	line := regexp.MustCompile(`^(?:\[pid +(\d+)\] |(\d+) +)?(?:([\d.:]+) )?(\w+)\((.*)\) += (-?\w+)`)
	for name, text := range texts {
		b.Run(name+"/ingest", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for range b.N {
				in := Input{Reader: bytes.NewReader(text), Limits: Limits{}.orDefaults()}
				sink := &Sink{rows: discardRows{}, quarantine: newQuarantine(), limits: in.Limits, machines: map[string]Machine{}}
				if err := (Strace{}).Read(context.Background(), &in, sink); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/regexp", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for range b.N {
				n := 0
				for l := range bytes.Lines(text) {
					n += len(line.FindSubmatchIndex(l))
				}
				if n == 0 {
					b.Fatal(fmt.Errorf("no lines"))
				}
			}
		})
	}
}
