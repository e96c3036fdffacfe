package record

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// The programs that tests run in containers of their own are this test binary,
// with childEnv naming what to do.
const childEnv = "MAYFLY_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		os.Exit(runChild(what))
	}
	os.Exit(m.Run())
}

// mustRecord skips a test that cannot record here.
func mustRecord(t testing.TB) {
	t.Helper()
	dockertest.Alone(t)
	if err := Check(); err != nil {
		dockertest.Cannot(t, err.Error())
	}
}

// cgroupRoot finds where cgroup v2 is mounted.
func cgroupRoot(t testing.TB) string {
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			return dir
		}
	}
	dockertest.Cannot(t, "no cgroup v2 hierarchy")
	return ""
}

// fakeContainer makes a cgroup that is named like a container's.
func fakeContainer(t testing.TB) (id, dir string) {
	t.Helper()
	id = randomID()
	dir = filepath.Join(cgroupRoot(t), "test-"+id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(dir) })
	return id, dir
}

func removeCgroup(dir string) {
	for range 100 {
		if err := os.Remove(dir); err == nil || os.IsNotExist(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// inCgroup runs this binary again, from its exec on a member of the cgroup.
func inCgroup(t testing.TB, dir, what string, env ...string) *exec.Cmd {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=none")
	cmd.Env = append(append(os.Environ(), childEnv+"="+what), env...)
	cmd.Stderr = os.Stderr
	// Mounts of its own, as every container has them.
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd()), Cloneflags: syscall.CLONE_NEWNS}
	return cmd
}

// recording records while a test does something, and reads the trace.
type recording struct {
	t       testing.TB
	r       *recorder
	dir     string
	stop    context.CancelFunc
	done    chan struct{}
	err     error
	summary Summary
	paused  atomic.Bool
}

func startRecording(t testing.TB, change func(*Options)) *recording {
	t.Helper()
	mustRecord(t)
	opts := DefaultOptions()
	opts.Dir, opts.Host, opts.NoRuntime = t.TempDir(), "test", true
	opts.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	ready := make(chan struct{})
	opts.Ready = func() { close(ready) }
	opts.BPF.Without = without
	if change != nil {
		change(&opts)
	}
	r, err := start(opts)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	rec := &recording{t: t, r: r, dir: opts.Dir, stop: stop, done: make(chan struct{})}
	r.paused = rec.paused.Load
	go func() {
		defer close(rec.done)
		rec.summary, rec.err = r.run(ctx)
	}()
	t.Cleanup(func() { stop(); <-rec.done })
	select {
	case <-ready:
	case <-rec.done:
		t.Fatal(rec.err)
	}
	return rec
}

// end stops the recording, opens its trace, and checks that nothing is
// unaccounted for.
func (r *recording) end() *trace.Trace {
	r.t.Helper()
	r.stop()
	<-r.done
	if r.err != nil {
		r.t.Fatal(r.err)
	}
	tr, err := trace.Open(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return tr
}

type row interface {
	trace.Event | trace.Sequence | trace.Process | trace.Container | trace.Loss
}

// eachRow calls do with each row of a table, one record's rows in memory at a time.
func eachRow[T row](t testing.TB, tr *trace.Trace, table trace.Table, do func(*T)) {
	t.Helper()
	for rec, err := range tr.Scan(context.Background(), table, trace.ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows, err := trace.Rows[T](rec)
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		for i := range rows {
			do(&rows[i])
		}
	}
}

func rowsOf[T row](t testing.TB, tr *trace.Trace, table trace.Table) (all []T) {
	t.Helper()
	eachRow(t, tr, table, func(r *T) { all = append(all, *r) })
	return all
}

// checkBalance checks produced = written + lost for all classes of a container.
func checkBalance(t testing.TB, tr *trace.Trace, id string) (lost map[string]int64) {
	t.Helper()
	produced, written := map[string]int64{}, map[string]int64{}
	lost = map[string]int64{}
	numbers := map[string]map[int64][]int64{trace.LossEvents: {}, trace.LossSequences: {}, trace.LossSecurity: {}} // by class and CPU
	eachRow(t, tr, trace.Losses, func(l *trace.Loss) {
		if l.ContainerID == id {
			produced[l.Class] += l.Produced
			lost[l.Class] += l.Lost
		}
	})
	eachRow(t, tr, trace.Events, func(e *trace.Event) {
		if class := trace.Kind(e.Kind).Class(); e.ContainerID == id && class != "" {
			written[class]++
			numbers[class][*e.CPU] = append(numbers[class][*e.CPU], *e.Seq)
		}
	})
	eachRow(t, tr, trace.Sequences, func(s *trace.Sequence) {
		if s.ContainerID == id {
			written[trace.LossSequences]++
			numbers[trace.LossSequences][*s.CPU] = append(numbers[trace.LossSequences][*s.CPU], *s.Seq)
		}
	})
	for _, class := range classes {
		if produced[class] != written[class]+lost[class] {
			t.Errorf("%s: produced %d, written %d, lost %d: want produced = written + lost",
				class, produced[class], written[class], lost[class])
		}
		if missing := missingNumbers(t, class, numbers[class]); missing > lost[class] {
			t.Errorf("%s: %d numbers are missing, and %d records were lost", class, missing, lost[class])
		}
	}
	return lost
}

// missingNumbers counts the gaps in each CPU's numbers; losses after the last
// record of a CPU leave none.
func missingNumbers(t testing.TB, class string, byCPU map[int64][]int64) (missing int64) {
	t.Helper()
	for cpu, numbers := range byCPU {
		slices.Sort(numbers)
		if distinct := len(slices.Compact(slices.Clone(numbers))); distinct != len(numbers) {
			t.Errorf("%s: CPU %d gave %d numbers to %d records", class, cpu, distinct, len(numbers))
		}
		missing += numbers[len(numbers)-1] + 1 - int64(len(numbers))
	}
	return missing
}

// describe prints an event's kind and arguments in one line.
func describe(e *trace.Event) string {
	var b strings.Builder
	b.WriteString(e.Kind)
	text := func(name, s string) {
		if s != "" {
			fmt.Fprintf(&b, " %s=%s", name, s)
		}
	}
	number := func(name string, n *int64) {
		if n != nil {
			fmt.Fprintf(&b, " %s=%d", name, *n)
		}
	}
	number("ret", e.Ret)
	text("path", e.Path)
	text("path2", e.Path2)
	if e.Argv != nil {
		fmt.Fprintf(&b, " argv=%q", e.Argv)
	}
	text("cwd", e.Cwd)
	text("origin", e.ExeOrigin)
	number("flags", e.Flags)
	number("mode", e.Mode)
	number("arg", e.Arg)
	text("family", e.Family)
	text("addr", e.Addr)
	number("port", e.Port)
	text("local", e.LocalAddr)
	number("localport", e.LocalPort)
	return b.String()
}
