package rule

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/profile"
	"mayfly/record/dockertest"
)

// goProgram prints, then makes a call that its profile does not hold, and says
// what came of it.
const goProgram = `package main

import (
	"fmt"
	"syscall"
)

func main() {
	fmt.Println("running")
	fmt.Println("mkdir:", syscall.Mkdir("/tmp-of-mayfly", 0o755) == syscall.EPERM)
	fmt.Println("done")
}
`

// goCalls are calls that a Go program which prints may make: what Go's runtime for
// Linux on x86-64 asks of the kernel.
var goCalls = strings.Fields(`arch_prctl brk clone close epoll_create1 epoll_ctl eventfd2 execve exit_group fcntl
futex getpid gettid getrlimit prlimit64 madvise mmap mprotect munmap nanosleep openat pipe2 prctl read
rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sigaltstack tgkill timer_create uname write`)

// TestDockerTakesSeccomp gives a profile back to a real Docker: the program runs
// under it, and a call that it never made is refused.
func TestDockerTakesSeccomp(t *testing.T) {
	if d := dockertest.StartDaemon(t); d.Host != "" {
		t.Setenv("DOCKER_HOST", d.Host)
	}
	dir := t.TempDir()
	image := fmt.Sprintf("mayfly-rule-test:%d", os.Getpid())
	buildImage(t, dir, image)
	items := make([]string, len(goCalls))
	for i, name := range goCalls {
		items[i] = profile.Call + " " + name
	}
	text, err := mustBuild(t, workload("mayfly-rule-test", items), nil, Options{}).Seccomp()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "seccomp.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no profile", []string{"--security-opt", "seccomp=unconfined"}, "running\nmkdir: false\ndone\n"},
		{"profile", []string{"--security-opt", "seccomp=" + path}, "running\nmkdir: true\ndone\n"},
		{"profile, another user", []string{"--security-opt", "seccomp=" + path, "--user", "1000:1000"}, "running\nmkdir: true\ndone\n"},
		{"profile, no new privileges", []string{"--security-opt", "seccomp=" + path, "--security-opt", "no-new-privileges", "--cap-drop", "ALL"}, "running\nmkdir: true\ndone\n"},
		{"profile, working directory", []string{"--security-opt", "seccomp=" + path, "-w", "/some/where"}, "running\nmkdir: true\ndone\n"},
	} {
		args := append([]string{"run", "--rm", "--network", "none"}, append(test.args, image, "/program")...)
		out, err := exec.Command("docker", args...).CombinedOutput()
		if err != nil || string(out) != test.want {
			t.Errorf("%s: got %q, %v; want %q", test.name, out, err, test.want)
		}
	}
}

// buildImage makes an image of one static program.
func buildImage(t *testing.T, dir, image string) {
	t.Helper()
	for name, text := range map[string]string{"main.go": goProgram, "go.mod": "module program\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", "program", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	load := exec.Command("docker", "import", "-", image)
	load.Stdin = &archive
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", image).Run() })
}
