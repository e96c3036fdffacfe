package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"mayfly/record/dockertest"
)

// tracer is something that watches a container while it works.
type tracer struct {
	name  string
	start func(*testing.T, *dockertest.Daemon, *dockertest.Container) (stop func() (note string, err error), err error)
}

// availableTracers lists no tracer first, then those that are asked for.
func availableTracers(t *testing.T) []tracer {
	all := []tracer{
		{"an empty program, tp_btf/sys_exit", empty},
		{"mayfly record", mayfly(buildMayfly(t))},
		{"strace -f, all calls", command("strace", func(pid string) []string { return []string{"-f", "-qq", "-o", "/dev/null", "-p", pid} })},
		{"perf trace, all calls", command("perf", func(pid string) []string { return []string{"trace", "-o", "/dev/null", "-p", pid} })},
		{"bpftrace, counts by call", command("bpftrace", func(string) []string {
			return []string{"-e", "tracepoint:raw_syscalls:sys_enter { @[cgroup, args->id] = count(); }"}
		})},
		{"bpftrace, prints each call", command("bpftrace", func(string) []string {
			return []string{"-o", "/dev/null", "-e", `tracepoint:raw_syscalls:sys_enter { printf("%d %d %d\n", nsecs, tid, args->id); }`}
		})},
		{"sysdig, capture of all", command("sysdig", func(string) []string { return []string{"-w", "/dev/null"} })},
	}
	all = slices.DeleteFunc(all, func(tr tracer) bool {
		return *only != "" && !slices.ContainsFunc(strings.Split(*only, ","), func(s string) bool { return strings.HasPrefix(tr.name, s) })
	})
	return append([]tracer{{"none", none}}, all...)
}

func none(*testing.T, *dockertest.Daemon, *dockertest.Container) (func() (string, error), error) {
	return func() (string, error) { return "", nil }, nil
}

// empty attaches a program that does nothing: the floor of what any tracer that
// sees every call by eBPF can cost.
func empty(*testing.T, *dockertest.Daemon, *dockertest.Container) (func() (string, error), error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, err
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp,
		AttachTo: "sys_exit", License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		return nil, err
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: program})
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		program.Close()
		return "", l.Close()
	}, nil
}

func buildMayfly(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "mayfly")
	build := exec.Command("go", "build", "-o", path, "mayfly/cmd/mayfly")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as a recorder is built
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// mayfly records everything it can, to disk. Its note has what it used itself,
// and the bytes of what it wrote.
func mayfly(program string) func(*testing.T, *dockertest.Daemon, *dockertest.Container) (func() (string, error), error) {
	return func(t *testing.T, _ *dockertest.Daemon, _ *dockertest.Container) (func() (string, error), error) {
		dir := filepath.Join(t.TempDir(), "trace")
		stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(program, "record", "-o", dir, "--log", "text")
		cmd.Stderr = stderr
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		for range 600 { // on a busy machine the verifier takes its time
			if text, _ := os.ReadFile(stderr.Name()); bytes.Contains(text, []byte("recording containers")) {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		from, began := processorTime(cmd.Process.Pid), time.Now()
		return func() (string, error) {
			used, length, memory := processorTime(cmd.Process.Pid)-from, time.Since(began), peakMemory(cmd.Process.Pid)
			err := end(cmd)
			text, _ := os.ReadFile(stderr.Name())
			if err = errors.Join(err, stderr.Close()); err != nil {
				return "", fmt.Errorf("%w: %s", err, text)
			}
			return fmt.Sprintf("%.1f %% of a core, %.0f MB; %s", 100*used.Seconds()/length.Seconds(), memory, written(dir, string(text))), nil
		}, nil
	}
}

// written says how many bytes a call and an event took on disk.
func written(dir, summary string) string {
	m := regexp.MustCompile(`(\d+) events?, (\d+) calls?`).FindStringSubmatch(summary)
	if m == nil {
		return oneLine(summary)
	}
	events, _ := strconv.ParseFloat(m[1], 64)
	calls, _ := strconv.ParseFloat(m[2], 64)
	lost := "lost nothing"
	if !strings.Contains(summary, lost) {
		lost = "lost something"
	}
	return fmt.Sprintf("%.0f calls at %.2f bytes, %.0f events at %.1f bytes; %s", calls, size(dir, "sequences")/calls,
		events, size(dir, "events")/events, lost)
}

func size(dir, table string) (bytes float64) {
	files, _ := filepath.Glob(filepath.Join(dir, table, "*", "*", "*.parquet"))
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			bytes += float64(info.Size())
		}
	}
	return bytes
}

// command is a tracer that is a program of its own; args gets the process that
// the container began with.
func command(name string, args func(pid string) []string) func(*testing.T, *dockertest.Daemon, *dockertest.Container) (func() (string, error), error) {
	return func(t *testing.T, d *dockertest.Daemon, c *dockertest.Container) (func() (string, error), error) {
		pid := d.Docker(t, "inspect", "--format", "{{.State.Pid}}", c.ID)
		cmd := exec.Command(name, args(pid)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		select {
		case err := <-exited:
			return nil, fmt.Errorf("%s (%w)", oneLine(out.String()), err)
		case <-time.After(3 * time.Second):
		}
		return func() (string, error) {
			select {
			case err := <-exited:
				if err == nil {
					return "", nil // it ended with the container
				}
				return "", fmt.Errorf("ended early: %s (%w)", oneLine(out.String()), err)
			default:
			}
			_ = cmd.Process.Signal(syscall.SIGINT)
			select {
			case <-exited:
			case <-time.After(20 * time.Second):
				_ = cmd.Process.Kill()
				<-exited
			}
			return "", nil
		}, nil
	}
}

func end(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	return cmd.Wait()
}

// processorTime is what a process has used so far.
func processorTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100 // USER_HZ
}

// peakMemory is the greatest resident size of a process, in MB.
func peakMemory(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kB, _ := strconv.ParseFloat(string(m[1]), 64)
	return kB * 1024 / 1e6
}
