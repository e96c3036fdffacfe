package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mayfly/record/dockertest"
	"mayfly/trace"
)

// buildMayfly builds the command as users run it: static, so that it can drop
// privileges on every thread.
func buildMayfly(t *testing.T, binary string) {
	t.Helper()
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// TestRecordConfined records for half a minute as an ordinary user with three
// capabilities and nothing else, while containers come and go: with facts from
// Docker, rotation and metrics. While it records, no thread may have any
// privilege, and nothing that it does may be refused.
func TestRecordConfined(t *testing.T) {
	seconds := 30
	if testing.Short() {
		seconds = 6
	}
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "recording needs root")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		dockertest.Cannot(t, err.Error())
	}
	docker := dockertest.StartDaemon(t)
	image := docker.BusyboxImage(t)
	host := docker.Host
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	socket, err := os.Stat(strings.TrimPrefix(host, "unix://"))
	if err != nil {
		dockertest.Cannot(t, err.Error())
	}
	dir := t.TempDir()
	openTo(t, filepath.Dir(strings.TrimPrefix(host, "unix://")), dir)
	buildMayfly(t, filepath.Join(dir, "mayfly"))
	out := filepath.Join(dir, "out")
	if err := errorsOf(os.Mkdir(out, 0o700), os.Chown(out, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	const capabilities = "-all,+bpf,+perfmon,+sys_ptrace"
	cmd := exec.Command(setpriv, "--reuid=65534", "--regid=65534", fmt.Sprintf("--groups=%d", socket.Sys().(*syscall.Stat_t).Gid),
		"--inh-caps="+capabilities, "--ambient-caps="+capabilities, "--bounding-set="+capabilities,
		filepath.Join(dir, "mayfly"), "record", "-o", filepath.Join(out, "trace"), "--rotate", "2s", "--verbose",
		"--runtime", "docker="+host, "--metrics", address, "--metrics-textfile", filepath.Join(out, "mayfly.prom"),
		"--duration", fmt.Sprint(seconds, "s"))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	recording, log := make(chan bool, 1), make(chan string, 1)
	go func() {
		var all bytes.Buffer
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), `"msg":"recording"`) {
				recording <- true
			}
		}
		close(recording)
		log <- all.String()
	}()
	if !<-recording {
		t.Fatalf("does not record:\n%s", <-log)
	}
	names := map[string]bool{}
	for n := 0; time.Duration(n) < 5 || n < seconds/2; n++ {
		name := fmt.Sprintf("mayfly-confined-%d-%d", os.Getpid(), n)
		names[name] = false
		c := docker.RunWith(t, []string{"--name", name, "--network", "none"}, image,
			"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do cat /etc/passwd | wc; done; true --password xyzzy-hunter2")
		c.Wait(t)
		checkThreads(t, cmd.Process.Pid)
		time.Sleep(time.Second / 2) // so that they fall into several files
	}
	if r, err := http.Get("http://" + address + "/metrics"); err != nil {
		t.Error(err)
	} else {
		r.Body.Close()
	}
	said := <-log
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if strings.Contains(said, "not permitted") || strings.Contains(said, "ermission denied") {
		t.Errorf("something was refused:\n%s", said)
	}
	checkConfinedTrace(t, filepath.Join(out, "trace"), names)
	checkModes(t, out)
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// openTo lets any user pass through directories, up to the root of temporary ones.
func openTo(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		for ; dir != os.TempDir() && dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			info, err := os.Stat(dir)
			if err == nil && info.Mode().Perm()&0o011 != 0o011 {
				err = os.Chmod(dir, info.Mode().Perm()|0o011)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkThreads wants no privilege in any thread of a process.
func checkThreads(t *testing.T, pid int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of the recorder: %v, %v", threads, err)
	}
	for _, path := range threads {
		status, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for _, want := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
			"CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s: no %q", path, want)
			}
		}
	}
}

func checkConfinedTrace(t *testing.T, dir string, names map[string]bool) {
	t.Helper()
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if files := tr.Files(trace.Events); len(files) < 3 {
		t.Errorf("got %d files of events, want some: it rotates every 2 s", len(files))
	}
	for _, c := range rowsOf[trace.Container](t, tr, trace.Containers) {
		if _, ours := names[c.Name]; ours && strings.HasPrefix(c.Image, "mayfly-test/") {
			names[c.Name] = true
		}
	}
	for name, found := range names {
		if !found {
			t.Errorf("Docker's facts of container %s are not in the trace", name)
		}
	}
	redacted := 0
	for _, e := range rowsOf[trace.Event](t, tr, trace.Events) {
		if strings.Contains(strings.Join(e.Argv, " "), "hunter2") {
			t.Errorf("argv %q holds the secret", e.Argv)
		}
		if slices.Contains(e.Argv, "<redacted>") || strings.Contains(strings.Join(e.Argv, " "), "--password <redacted>") {
			redacted++
		}
	}
	if redacted == 0 {
		t.Error("no event has a redacted argv")
	}
}

func rowsOf[T trace.Event | trace.Container](t *testing.T, tr *trace.Trace, table trace.Table) (rows []T) {
	t.Helper()
	for rec, err := range tr.Scan(t.Context(), table, trace.ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		some, err := trace.Rows[T](rec)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, some...)
	}
	return rows
}

// checkModes wants files and directories to be the recorder's alone.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := fs.FileMode(0o600)
		switch {
		case d.IsDir():
			want = 0o700
		case filepath.Ext(path) == ".prom":
			want = 0o644 // for node_exporter to read
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
