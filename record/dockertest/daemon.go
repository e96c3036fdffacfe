package dockertest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Cannot ends a test that cannot run here: with a skip, or where
// MAYFLY_TEST_MUST_RUN is set with a failure.
func Cannot(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatal("must run here, but: " + reason)
	}
	t.Skip(reason)
}

// Daemon is a Docker daemon that answers.
type Daemon struct {
	Host string // its API, as DOCKER_HOST has it; "" is Docker's default
}

// StartDaemon returns the daemon that answers at Docker's default address, or
// starts one that ends with the test. It calls Cannot where neither works. Tests
// of other packages with a daemon wait meanwhile (Alone).
func StartDaemon(t testing.TB) *Daemon {
	t.Helper()
	Alone(t)
	if _, err := exec.LookPath("docker"); err != nil {
		Cannot(t, "docker: not installed")
	}
	d := &Daemon{Host: os.Getenv("DOCKER_HOST")}
	if d.answers() {
		return d
	}
	return startOwn(t)
}

// StartOwnDaemon starts a daemon for this test alone.
func StartOwnDaemon(t testing.TB) *Daemon {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		Cannot(t, "docker: not installed")
	}
	return startOwn(t)
}

func startOwn(t testing.TB) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		Cannot(t, "docker: no daemon answers, and starting one needs root")
	}
	program, err := exec.LookPath("dockerd")
	if err != nil {
		Cannot(t, "docker: no daemon answers, and dockerd is not installed")
	}
	dir, err := os.MkdirTemp("", "dockerd") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Host: "unix://" + filepath.Join(dir, "s")}
	var log bytes.Buffer
	cmd := exec.Command(program, "--iptables=false", "--ip6tables=false", "--bridge=none",
		"--storage-driver=vfs", "--host="+d.Host, "--data-root="+filepath.Join(dir, "data"),
		"--exec-root="+filepath.Join(dir, "exec"), "--pidfile="+filepath.Join(dir, "pid"))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		_ = os.RemoveAll(dir) // what is still mounted in there stays
	})
	for range 300 {
		if d.answers() {
			return d
		}
		select {
		case <-ended:
			Cannot(t, "dockerd ended: "+last(log.String(), 400))
		case <-time.After(100 * time.Millisecond):
		}
	}
	Cannot(t, "dockerd does not answer")
	return nil
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

func (d *Daemon) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return d.command(ctx, "version", "--format", "{{.Server.Version}}").Run() == nil
}

// command is the docker command line against this daemon.
func (d *Daemon) command(ctx context.Context, args ...string) *exec.Cmd {
	if d.Host != "" {
		args = append([]string{"--host", d.Host}, args...)
	}
	return exec.CommandContext(ctx, "docker", args...)
}

// Docker runs the docker command line and returns its standard output without
// the last newline. The test fails where the command does.
func (d *Daemon) Docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := d.try(nil, args...)
	if err != nil {
		t.Fatalf("docker %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// Try is Docker for commands that may fail. The error holds standard error.
func (d *Daemon) Try(args ...string) (string, error) { return d.try(nil, args...) }

// timeout of one command of docker: building on vfs copies whole images.
const timeout = 2 * time.Minute

func (d *Daemon) try(stdin []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := d.command(ctx, args...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = errors.Join(err, errors.New(last(strings.TrimSpace(errs.String()), 2000)))
	}
	return strings.TrimSuffix(out.String(), "\n"), err
}
