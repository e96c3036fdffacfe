package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The engine of the tests is the real one: Prism, a worker pool and the submitter are
// processes of their own, and objects lie on an S3 server. Prism and the pool listen
// on all addresses at fixed ports, so all of it runs in a network of its own that has
// a loopback only; the processes of the tests are their own too, and end with them.

const (
	insideEnv = "MAYFLY_TEST_BEAM_INSIDE" // the folder of programs; set within the network
	poolEnv   = "MAYFLY_TEST_BEAM_POOL"   // the folder that is /tmp for workers; set for the pool
	reasonEnv = "MAYFLY_TEST_BEAM_REASON" // why there is no network

	jobService = "127.0.0.1:8073"
	workerPool = "127.0.0.1:50000"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(poolEnv) != "":
		fail(becomePool())
	case os.Getenv(insideEnv) != "":
		fail(raiseLoopback())
		status := m.Run()
		stopServers()
		os.Exit(status)
	}
	dir, err := os.MkdirTemp("/var/tmp", "mayfly-beam-test-")
	fail(err)
	status, err := runInside(dir)
	if err != nil {
		fail(os.Setenv(reasonEnv, err.Error()))
		status = m.Run()
	}
	fail(os.RemoveAll(dir))
	os.Exit(status)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// runInside runs the tests once more, as the first process of a network and a space of
// processes of its own.
func runInside(dir string) (status int, err error) {
	for _, p := range []struct{ name, in, what string }{
		{"mayfly", "..", "./cmd/mayfly"},
		{"fleet", "..", "./bench/fleet"},
		{"mayfly-beam", ".", "."},
		{"prism", ".", "github.com/apache/beam/sdks/v2/go/cmd/prism"},
		{"boot", ".", "github.com/apache/beam/sdks/v2/go/container"},
		{"versitygw", "../object/versitygw", "github.com/versity/versitygw/cmd/versitygw"},
	} {
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, p.name), p.what)
		build.Dir = p.in
		if text, err := build.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%s: %w: %.300s", p.name, err, text)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	inside := exec.Command(self, os.Args[1:]...)
	inside.Env = append(os.Environ(), insideEnv+"="+dir, "TMPDIR="+dir)
	inside.Stdin, inside.Stdout, inside.Stderr = os.Stdin, os.Stdout, os.Stderr
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := inside.Start(); err != nil {
		return 0, fmt.Errorf("no network of its own (wants root): %w", err)
	}
	err = inside.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(1, exit.ExitCode()), nil
	}
	return 0, err
}

func raiseLoopback() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// becomePool makes this process the worker pool. It leaves programs in /tmp for good,
// so that it has another /tmp.
func becomePool() error {
	if err := unix.Mount(os.Getenv(poolEnv), "/tmp", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("/tmp: %w", err)
	}
	boot := filepath.Join(os.Getenv(insideEnv), "boot")
	return syscall.Exec(boot, []string{boot, "--worker_pool"}, os.Environ())
}

// skip says why a test cannot run here; where everything has to run it fails.
func skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// programs is the folder of the programs, within the network.
func programs(t testing.TB) string {
	t.Helper()
	if reason := os.Getenv(reasonEnv); reason != "" {
		skip(t, "no cluster: %s", reason)
	}
	return os.Getenv(insideEnv)
}

var servers struct {
	sync.Mutex
	all []*exec.Cmd
}

// serve starts a process that lasts until all tests are done, and waits for its port.
func serve(t testing.TB, address string, cmd *exec.Cmd) {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	log, err := os.Create(filepath.Join(programs(t), filepath.Base(cmd.Path)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	servers.all = append(servers.all, cmd)
	for range 600 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("%s does not answer: %s", cmd.Path, text)
}

func stopServers() {
	for _, cmd := range slices.Backward(servers.all) {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// needEngine starts Prism and the pool, once.
func needEngine(t testing.TB) {
	t.Helper()
	dir := programs(t)
	servers.Lock()
	defer servers.Unlock()
	if len(servers.all) > 0 {
		return
	}
	t.Setenv("HOME", dir) // no credentials of whoever runs the tests
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "mayfly", "AWS_SECRET_ACCESS_KEY": "wingspan", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true"} {
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tmp", "s3/logs", "sidecar"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, jobService, exec.Command(filepath.Join(dir, "prism"), "-serve_http=false", "-log_kind", "text"))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pool := exec.Command(self)
	pool.Env = append(os.Environ(), poolEnv+"="+filepath.Join(dir, "tmp"))
	pool.Dir = filepath.Join(dir, "tmp") // where a worker leaves its options
	pool.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	serve(t, workerPool, pool)
	serve(t, s3Address, exec.Command(filepath.Join(dir, "versitygw"), "--access", "mayfly", "--secret", "wingspan", "--port", s3Address, "--quiet",
		"posix", "--sidecar", filepath.Join(dir, "sidecar"), filepath.Join(dir, "s3")))
}

const s3Address = "127.0.0.1:7070"

// s3 is the URL of a key on the S3 server.
func s3(key string) string {
	return "s3://logs/" + key + "?region=us-east-1&use_path_style=true&disable_https=true&endpoint=http://" + s3Address
}

// outcome is what a program did.
type outcome struct {
	status         int
	stdout, stderr string
}

// execute runs one of the programs in a folder.
func execute(t testing.TB, in, name string, args ...string) outcome {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
	defer stop()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(programs(t), name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = in, &stdout, &stderr
	err := cmd.Run()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must is execute for what has to succeed.
func must(t testing.TB, in, name string, args ...string) outcome {
	t.Helper()
	o := execute(t, in, name, args...)
	if o.status != 0 {
		t.Fatalf("%s %s: exit status %d: %s", name, strings.Join(args, " "), o.status, o.stderr)
	}
	return o
}

// onPrism are a command line's further flags, for workers of the pool.
func onPrism(t testing.TB, args ...string) []string {
	return append(args, "--runner", "universal", "--endpoint", jobService, "--environment_type", "EXTERNAL", "--environment_config", workerPool,
		"--worker_binary", filepath.Join(programs(t), "mayfly-beam"))
}
