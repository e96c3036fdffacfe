package record

import (
	"context"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mayfly/record/dockertest"
)

// load is something that a container does, and how fast it does it.
type load struct {
	name, unit string
	image      func() string
	options    []string // of docker run
	command    []string
	ready      func(testing.TB)
	run        func(testing.TB, *dockertest.Container) float64 // higher is better
}

// storm makes calls that do nothing, and prints how many it makes in a second of
// its thread's processor time.
const storm = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

func now() time.Duration {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

func main() {
	begin := make(chan os.Signal, 1)
	signal.Notify(begin, syscall.SIGUSR1)
	<-begin
	runtime.LockOSThread()
	const n = 1_000_000
	from := now()
	for range n {
		syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
	}
	fmt.Printf("calls/s: %.0f\n", n/(now()-from).Seconds())
}
`

// forks runs two thousand programs one after another.
const forks = `begun=; trap begun=1 USR1
while [ -z "$begun" ]; do sleep 0.05; done
i=0; from=$(cut -d' ' -f1 /proc/uptime | tr -d .)
while [ $i -lt 2000 ]; do /bin/busybox true; i=$((i+1)); done
to=$(cut -d' ' -f1 /proc/uptime | tr -d .)
echo "programs/s: $((200000 / (to - from)))"`

// Ports on loopback that the servers listen at.
const redisPort, nginxPort = "16379", "18080"

const nginxConfiguration = `daemon off; master_process off; pid /tmp/nginx.pid; error_log /dev/null;
events { worker_connections 1024; }
http { access_log /tmp/access.log; client_body_temp_path /tmp; proxy_temp_path /tmp; fastcgi_temp_path /tmp;
  uwsgi_temp_path /tmp; scgi_temp_path /tmp; keepalive_requests 1000000;
  server { listen 127.0.0.1:` + nginxPort + `; root /www; } }
`

func loads(t *testing.T, d *dockertest.Daemon) []load {
	network := []string{"--network", "host"}
	return []load{
		{name: "storm", unit: "getppid/s",
			image: func() string { return d.StaticGoImage(t, "mayfly-bench/storm:1", "/storm", storm, nil) },
			run:   inside(`calls/s: (\d+)`)},
		{name: "redis", unit: "GET/s", options: network,
			image:   func() string { return programImage(t, d, "redis", "/usr/bin/redis-server", nil) },
			command: []string{"/usr/bin/redis-server", "--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"},
			ready:   listening(redisPort),
			run:     outside(`"GET","([\d.]+)"`, "redis-benchmark", "-p", redisPort, "-t", "get", "-n", "300000", "-c", "50", "--csv")},
		nginx(t, d, "nginx", "-k", "-n", "100000"), // connections are kept: next to nothing but opening the file
		nginx(t, d, "nginx-connections", "-n", "40000"),
		{name: "fork", unit: "programs/s", image: func() string { return d.BusyboxImage(t) }, command: []string{"/bin/sh", "-c", forks},
			run: inside(`programs/s: (\d+)`)},
	}
}

// nginx serves one file to ab with these flags.
func nginx(t *testing.T, d *dockertest.Daemon, name string, flags ...string) load {
	args := append([]string{"ab", "-q", "-c", "20"}, flags...)
	return load{name: name, unit: "requests/s", options: []string{"--network", "host"},
		image: func() string {
			return programImage(t, d, "nginx", "/usr/sbin/nginx", map[string]dockertest.File{
				"etc/nginx.conf": {Data: []byte(nginxConfiguration)}, "www": {Dir: true}, "var/log/nginx": {Dir: true}, "var/lib/nginx": {Dir: true},
				"www/index.html": {Data: []byte(strings.Repeat("mayfly ", 500))}})
		},
		command: []string{"/usr/sbin/nginx", "-c", "/etc/nginx.conf"},
		ready:   listening(nginxPort),
		run:     outside(`Requests per second:\s+([\d.]+)`, append(args, "http://127.0.0.1:"+nginxPort+"/index.html")...)}
}

// programImage builds an image of a Debian program and the libraries it needs.
func programImage(t *testing.T, d *dockertest.Daemon, name, program string, more map[string]dockertest.File) string {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		dockertest.Cannot(t, program+": not installed")
	}
	files := dockertest.Base()
	for path, file := range more {
		files[path] = file
	}
	paths := []string{program}
	for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		paths = append(paths, m[1])
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(path, "/")] = dockertest.File{Data: data, Mode: 0o755}
	}
	return d.Image(t, "mayfly-bench/"+name+":1", files)
}

// listening waits until something answers at a port of loopback.
func listening(port string) func(testing.TB) {
	return func(t testing.TB) {
		t.Helper()
		for range 200 {
			if c, err := net.Dial("tcp4", "127.0.0.1:"+port); err == nil {
				c.Close()
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("port %s: nobody listens", port)
	}
}

// inside tells the container's first program to begin, and returns the number
// that it prints before it ends.
func inside(pattern string) func(testing.TB, *dockertest.Container) float64 {
	return func(t testing.TB, c *dockertest.Container) float64 {
		t.Helper()
		c.Signal(t, "USR1")
		if status := c.Wait(t); status != "0" {
			t.Fatalf("the container ended with status %s", status)
		}
		return number(t, pattern, c.Logs(t))
	}
}

// outside runs a program of the host against the container's server.
func outside(pattern string, args ...string) func(testing.TB, *dockertest.Container) float64 {
	return func(t testing.TB, _ *dockertest.Container) float64 {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return number(t, pattern, string(out))
	}
}

func number(t testing.TB, pattern, text string) float64 {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %q", pattern, text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
