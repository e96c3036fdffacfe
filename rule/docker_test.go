package rule

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mayfly/profile"
	"mayfly/record/dockertest"
)

// goProgram makes calls that its profile holds and calls that it does not, with
// arguments that it holds and others, and says what came of each.
const goProgram = `package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

func main() {
	if len(os.Args) > 1 {
		return
	}
	fmt.Println("running")
	fmt.Println("child:", start(0))
	fmt.Println("child in a user namespace:", start(syscall.CLONE_NEWUSER))
	fmt.Println("mkdir:", syscall.Mkdir("/tmp-of-mayfly", 0o755))
	for _, family := range []int{syscall.AF_INET, 38, 40} {
		fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
		refused := errors.Is(err, syscall.EPERM)
		fmt.Println("socket", family, "refused:", refused)
		if err == nil {
			syscall.Close(fd)
		}
	}
	for _, cmd := range []uintptr{syscall.TCGETS, syscall.TIOCSTI} {
		var modes [64]byte
		_, _, err := syscall.Syscall(syscall.SYS_IOCTL, 0, cmd, uintptr(unsafe.Pointer(&modes)))
		fmt.Printf("ioctl %#x refused: %v\n", cmd, err == syscall.EPERM)
	}
	fmt.Println("done")
}

func start(flags uintptr) error {
	cmd := exec.Command("/proc/self/exe", "child")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	err := cmd.Run()
	if errors.Is(err, syscall.EPERM) {
		return syscall.EPERM
	}
	return err
}
`

// goCalls are calls that a Go program which prints may make: what Go's runtime for
// Linux on x86-64 asks of the kernel.
var goCalls = strings.Fields(`arch_prctl brk clone clone3 close dup3 epoll_create1 epoll_ctl eventfd2 execve exit_group fcntl
futex getpid gettid getrlimit prlimit64 madvise mmap mprotect munmap nanosleep newfstatat openat pidfd_open pidfd_send_signal pipe2 prctl read readlinkat
rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sigaltstack socket tgkill timer_create uname wait4 waitid write`)

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
	set := mustBuild(t, workload("mayfly-rule-test", items), nil, Options{})
	text, err := set.Seccomp()
	if err != nil {
		t.Fatal(err)
	}
	path, watching := filepath.Join(dir, "seccomp.json"), filepath.Join(dir, "watching.json")
	set.Audit = true
	log, err := set.Seccomp()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, text, 0o644), os.WriteFile(watching, log, 0o644)); err != nil {
		t.Fatal(err)
	}
	const free = "running\nchild: <nil>\nchild in a user namespace: <nil>\nmkdir: <nil>\nsocket 2 refused: false\nsocket 38 refused: false\n" +
		"socket 40 refused: false\nioctl 0x5401 refused: false\nioctl 0x5412 refused: false\ndone\n"
	const kept = "running\nchild: <nil>\nchild in a user namespace: operation not permitted\nmkdir: operation not permitted\nsocket 2 refused: false\nsocket 38 refused: true\n" +
		"socket 40 refused: true\nioctl 0x5401 refused: false\nioctl 0x5412 refused: true\ndone\n"
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no profile", []string{"--security-opt", "seccomp=unconfined"}, free},
		{"profile", []string{"--security-opt", "seccomp=" + path}, kept},
		{"profile for watching", []string{"--security-opt", "seccomp=" + watching}, free},
		{"profile, another user", []string{"--security-opt", "seccomp=" + path, "--user", "1000:1000"}, kept},
		{"profile, no new privileges", []string{"--security-opt", "seccomp=" + path, "--security-opt", "no-new-privileges", "--cap-drop", "ALL"}, kept},
		{"profile, working directory", []string{"--security-opt", "seccomp=" + path, "-w", "/some/where"}, kept},
		{"profile, init", []string{"--security-opt", "seccomp=" + path, "--init"}, kept},
		{"profile, terminal", []string{"--security-opt", "seccomp=" + path, "-t"}, kept},
		{"profile, init and terminal", []string{"--security-opt", "seccomp=" + path, "--init", "-t"}, kept},
		{"profile, init, no new privileges", []string{"--security-opt", "seccomp=" + path, "--init", "--user", "1000", "--security-opt", "no-new-privileges"}, kept},
	} {
		args := append([]string{"run", "--rm", "--network", "none"}, append(test.args, image, "/program")...)
		out, err := exec.Command("docker", args...).CombinedOutput()
		if got := strings.ReplaceAll(string(out), "\r", ""); err != nil || got != test.want {
			t.Errorf("%s: %v, output (-want +got):\n%s", test.name, err, cmp.Diff(test.want, got))
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
