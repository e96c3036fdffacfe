package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-seccomp-bpf/arch"

	"mayfly/record/dockertest"
)

// TestSeccompDeploys makes a seccomp profile of the recording that ships, and has
// the shop serve its load under it twenty times, with other seeds than were
// recorded, in each way in which people start a container.
func TestSeccompDeploys(t *testing.T) {
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "entering a container's network needs root")
	}
	docker := dockertest.StartDaemon(t)
	dir := t.TempDir()
	e := &endToEnd{docker: docker, dir: dir}
	e.mayfly(t, "profile", "build", "../../datasets/demo/trace", "-o", e.path("profile.json"))
	e.mayfly(t, "rules", "--profile", e.path("profile.json"), "-o", e.path("rules"), "--target", "seccomp", "--force")
	profiles, err := filepath.Glob(e.path("rules/seccomp/*shop*.json"))
	if err != nil || len(profiles) != 1 {
		t.Fatalf("profiles of the shop: got %v, %v, want one", profiles, err)
	}
	testDenied(t, profiles[0])

	tool := e.path("shop")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", tool, ".")
	build.Dir, build.Env = "../../datasets/demo/shop", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	program, err := os.ReadFile(tool)
	if err != nil {
		t.Fatal(err)
	}
	files := maps.Clone(dockertest.BusyboxFiles(t))
	files["bin/shop"] = dockertest.File{Data: program, Mode: 0o755}
	files["var/lib/shop/uploads"] = dockertest.File{Dir: true, Mode: 0o755}
	files["var/log"] = dockertest.File{Dir: true, Mode: 0o755}
	for id := range 12 {
		files[fmt.Sprintf("srv/shop/%d.txt", id)] = dockertest.File{Data: []byte("1\n2\n")}
	}
	image := docker.Image(t, "mayfly-test/shop:1", files, `CMD ["/bin/shop","serve"]`)

	options := []string{"--network", "none", "--security-opt", "seccomp=" + profiles[0]}
	ways := [][]string{nil, {"--init"}, {"-t"}, {"--init", "-t"}, {"--security-opt", "no-new-privileges"}}
	served := 0
	for run := range 20 {
		way := ways[run%len(ways)]
		shop := docker.RunWith(t, append(slices.Clone(options), way...), image)
		stock := docker.RunWith(t, []string{"--network", "container:" + shop.ID}, image, "/bin/shop", "stock")
		time.Sleep(500 * time.Millisecond)
		pid := docker.Docker(t, "inspect", "--format", "{{.State.Pid}}", shop.ID)
		out, err := exec.Command("nsenter", "-t", pid, "-n", tool, "load", "-for", "500ms", "-rate", "25", "-seed", fmt.Sprint(1000+run)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), ", 0 failed") {
			t.Errorf("run %d %v: load under the profile: %v\n%s\nlog of the shop: %s", run, way, err, out, shop.Logs(t))
		} else {
			served++
		}
		docker.Docker(t, "rm", "--force", stock.ID, shop.ID)
	}
	t.Logf("%d of 20 runs served their load", served)

	// The shop never makes a directory. Without the profile it could.
	if out, err := docker.Try("run", "--rm", "--network", "none", image, "/bin/busybox", "mkdir", "/tmp/x"); err != nil {
		t.Fatalf("mkdir without the profile: %v %s", err, out)
	}
	refused := append(append([]string{"run", "--rm"}, options...), image, "/bin/busybox", "mkdir", "/tmp/x")
	if out, err := docker.Try(refused...); err == nil || !strings.Contains(err.Error(), "Operation not permitted") {
		t.Errorf("mkdir under the profile: got %v %s, want it refused: operation not permitted", err, out)
	}
}

// testDenied: a profile of a web server denies most of what the kernel has.
func testDenied(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		DefaultAction string
		Syscalls      []struct {
			Names  []string
			Action string
		}
	}
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, group := range p.Syscalls {
		for _, name := range group.Names {
			allowed[name] = allowed[name] || group.Action == "SCMP_ACT_ALLOW"
		}
	}
	denied := 0
	for name := range arch.X86_64.SyscallNames {
		if !allowed[name] {
			denied++
		}
	}
	t.Logf("%d of the %d calls of x86-64 are denied", denied, len(arch.X86_64.SyscallNames))
	if p.DefaultAction != "SCMP_ACT_ERRNO" || denied < 250 {
		t.Errorf("%d calls are denied (%s), want at least 250", denied, p.DefaultAction)
	}
}
