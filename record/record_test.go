package record

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/trace"
)

// TestKinds has a program in a container of its own make each kind of call, and
// wants each event with its arguments.
func TestKinds(t *testing.T) { checkKinds(t, nil) }

func checkKinds(t *testing.T, change func(*Options)) {
	rec := startRecording(t, change)
	id, cgroup := fakeContainer(t)
	dir := t.TempDir()
	if out, err := inCgroup(t, cgroup, "kinds:"+dir).Output(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tr := rec.end()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == id {
			got.WriteString(strings.NewReplacer(self, "SELF", dir, "DIR", filepath.Dir(dir), "UP").Replace(describe(&e)) + "\n")
		}
	}
	for _, want := range kindLines {
		wantLine(t, got.String(), want)
	}
	if t.Failed() {
		t.Log(got.String())
	}
	if lost := checkBalance(t, tr, id); lost[trace.LossEvents]+lost[trace.LossSequences] != 0 {
		t.Errorf("lost %v, want nothing", lost)
	}
}

func wantLine(t *testing.T, got, want string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(got) {
		t.Errorf("no event %s", want)
	}
}

// kindLines are the events that childKinds makes, as regular expressions.
var kindLines = []string{
	`exec ret=0 path=SELF argv=\["SELF" "-test.run=none"\] cwd=\S+ origin=image`,
	`open ret=\d+ path=DIR/made flags=66 mode=416`,
	`open ret=\d+ path=DIR/made flags=\d+ mode=0`,
	`open ret=-2 path=UP/none/such/x flags=\d+ mode=0`,
	`chmod ret=0 path=DIR/made mode=384`,
	`chmod ret=0 path=DIR/made mode=420`,
	`chown ret=0 path=DIR/made mode=2 arg=1`,
	`chown ret=0 path=DIR/made mode=3 arg=-1`,
	`link ret=0 path=DIR/made path2=DIR/hard flags=0`,
	`link ret=0 path=DIR/made path2=DIR/soft flags=0`,
	`rename ret=0 path=DIR/hard path2=DIR/moved flags=1`,
	`unlink ret=0 path=DIR/moved flags=0`,
	`unlink ret=-2 path=DIR/none flags=512`,
	`memfd_create ret=\d+ path=mine flags=0`,
	`mount ret=-2 path=none path2=DIR/none flags=1 addr=tmpfs`,
	`umount ret=-2 path=DIR/none flags=2`,
	`module_load ret=-\d+ path=DIR/made flags=0`,
	`bpf ret=-22 arg=65535`,
	`ptrace ret=-3 arg=16`,
	`setns ret=-22 flags=1073741824`,
	`unshare ret=0 flags=67108864`,
	`bind ret=0 family=inet local=127\.0\.0\.1 localport=\d{4,5}`,
	`listen ret=0 family=inet local=127\.0\.0\.1 localport=\d{4,5}`,
	`connect ret=(0|-115) family=inet addr=127\.0\.0\.1 port=\d{4,5} local=127\.0\.0\.1 localport=\d{4,5}`,
	`connect ret=(-111|-115) family=inet addr=127\.0\.0\.1 port=1 local=\S+ localport=\d+`,
	`accept ret=\d+ family=inet addr=127\.0\.0\.1 port=\d{4,5} local=127\.0\.0\.1 localport=\d{4,5}`,
	`bind ret=0 family=unix local=u\.sock`,
	`connect ret=0 family=unix addr=u\.sock`,
	`accept ret=\d+ family=unix local=u\.sock`,
	`bind ret=0 family=inet6 local=::1 localport=\d{4,5}`,
	`setgid ret=0 arg=1234`,
	`setuid ret=0 arg=1235`,
	`setuid ret=0 arg=0`,
	`capset ret=0 arg=2097153`,
	`fork flags=\d+`,
	`exec ret=0 path=SELF argv=\["SELF" "-test.run=none" "second argument"\] cwd=DIR origin=image`,
	`exit arg=1792`,
	`exec ret=0 path=DIR/dropped argv=\["./dropped" "-test.run=none"\] cwd=DIR origin=written`,
	`exec ret=-2 path=/no/such/program argv=\["/no/such/program" "a b"\] cwd=DIR`,
	`exit arg=0`,
}

// TestBefore wants a program that ran before the recording to be known by its
// executable, and its end to be in the table of processes.
func TestBefore(t *testing.T) {
	mustRecord(t)
	id, cgroup := fakeContainer(t)
	cmd := inCgroup(t, cgroup, "wait")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // until it waits
	rec := startRecording(t, nil)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	stdin.Close()
	time.Sleep(50 * time.Millisecond)
	tr := rec.end()
	for _, p := range rowsOf[trace.Process](t, tr, trace.Processes) {
		if p.ContainerID == id && p.PID == int32(cmd.Process.Pid) {
			if p.ExitStatus == nil || *p.ExitStatus != int64(unix.SIGKILL) || p.EndTimeNS == nil {
				t.Errorf("process %d: got status %v, end %v; want %d and a time", p.PID, p.ExitStatus, p.EndTimeNS, unix.SIGKILL)
			}
			return
		}
	}
	t.Errorf("no process %d of container %s", cmd.Process.Pid, id)
}

// TestAll wants the host's programs with --all, and the recorder itself left out.
func TestAll(t *testing.T) {
	rec := startRecording(t, func(o *Options) { o.All = true })
	if err := exec.Command("/bin/sh", "-c", "exit 5").Run(); err == nil {
		t.Fatal("exit 5: got status 0")
	}
	tr := rec.end()
	found := false
	var exits strings.Builder
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if e.ContainerID == "" && e.Kind == string(trace.Exit) && *e.Arg == 5<<8 {
			fmt.Fprintf(&exits, "\n%d %q", e.PID, e.Exe)
		}
		if e.PID == int32(os.Getpid()) && e.Kind != string(trace.Fork) {
			t.Errorf("the recorder's own: %s", describe(&e))
		}
		if e.ContainerID == "" && e.Kind == string(trace.Exit) && *e.Arg == 5<<8 && strings.HasSuffix(e.Exe, "sh") {
			found = true
		}
	}
	if !found {
		t.Errorf("no exit of sh with status 5 but of %s; lost %v", exits.String(), rec.summary.Lost)
	}
}

// TestManyFacts gives the recorder more facts of containers at once than it has room
// for, while something goes on. A runtime drops events of a reader that is slow to take
// them; one that took what is there once a second would need twenty for these.
func TestManyFacts(t *testing.T) {
	rec := startRecording(t, nil)
	_, cgroup := fakeContainer(t)
	storm := inCgroup(t, cgroup, fmt.Sprintf("storm:%d", math.MaxInt32))
	if err := storm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = storm.Process.Kill()
		_ = storm.Wait()
	})
	const bursts = 20
	timeout := time.After(bursts * time.Second * 3 / 4)
	for i := range bursts * cap(rec.r.facts) {
		select {
		case rec.r.facts <- &trace.Container{ContainerID: fmt.Sprintf("%064x", i), Facts: trace.FactsPartial, Name: "web"}:
		case <-timeout:
			t.Fatalf("%d of %d facts were taken in %d seconds", i, bursts*cap(rec.r.facts), bursts*3/4)
		}
	}
	rec.end()
}
