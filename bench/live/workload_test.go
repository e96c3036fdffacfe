package live

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mayfly/record/dockertest"
)

const (
	webPort   = "8080"
	redisPort = "6379"
)

const nginxConfiguration = `daemon off; user nobody nogroup; worker_processes 2; pid /tmp/nginx.pid; error_log /var/log/nginx/error.log;
events { worker_connections 256; }
http { access_log /var/log/nginx/access.log; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi; gzip on; gzip_types text/css; sendfile on;
  server { listen 127.0.0.1:` + webPort + `; root /www; } }
`

// job is what the job runner runs: one of four small jobs.
const job = `#!/bin/sh
mkdir -p /tmp/out
case $1 in
0) sort -n /srv/numbers >/tmp/out/sorted; head -n 20 /tmp/out/sorted ;;
1) grep -v 7 /srv/numbers | wc -l >/tmp/out/count; cat /tmp/out/count ;;
2) cp /srv/numbers /tmp/out/n; gzip -f /tmp/out/n; ls -l /tmp/out ;;
3) i=0; while [ $i -lt 30 ]; do echo "$i $(date)" >>/tmp/out/log; i=$((i+1)); done; tail -n 3 /tmp/out/log ;;
esac
sleep 0.$((1 + $1))
rm -r /tmp/out
`

// images builds the three workloads. All have a shell, as most images do.
func images(t *testing.T, d *dockertest.Daemon) (web, db, jobs string) {
	t.Helper()
	tool := built(t, "./tool")
	with := func(program string, more map[string]dockertest.File) map[string]dockertest.File {
		files := dockertest.BusyboxFiles(t)
		for path, file := range more {
			files[path] = file
		}
		files["opt"], files["opt/tool"] = dockertest.File{Dir: true}, dockertest.File{Data: tool, Mode: 0o755}
		for _, path := range linked(t, program) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[strings.TrimPrefix(path, "/")] = dockertest.File{Data: data, Mode: 0o755}
		}
		return files
	}
	text := func(s string) dockertest.File { return dockertest.File{Data: []byte(s)} }
	dir := dockertest.File{Dir: true}
	web = d.Image(t, "mayfly-live/web:1", with("/usr/sbin/nginx", map[string]dockertest.File{
		"etc/nginx.conf": text(nginxConfiguration), "var/log": dir, "var/log/nginx": dir, "var/lib/nginx": dir, "mnt": dir,
		"www/index.html": text(strings.Repeat("<p>mayfly</p>\n", 200)), "www/about.html": text("<p>about</p>\n"), "www/style.css": text(strings.Repeat("p { margin: 0 }\n", 100)),
		"www/docs/index.html": text("<p>docs</p>\n"), "www/large.bin": text(strings.Repeat("0123456789abcdef", 20_000))}),
		`CMD ["/usr/sbin/nginx","-c","/etc/nginx.conf"]`, "ENV PATH=/bin")
	// The commands that move its files are on, as they were by default for years.
	db = d.Image(t, "mayfly-live/db:1", with("/usr/bin/redis-server", map[string]dockertest.File{"data": dir, "root/.ssh": dir, "var/spool": dir, "var/spool/cron": dir}),
		fmt.Sprintf(`CMD ["/usr/bin/redis-server","--port","%s","--bind","127.0.0.1","--dir","/data","--save","20 50","--appendonly","yes","--enable-protected-configs","yes"]`, redisPort), "ENV PATH=/bin")
	files := dockertest.BusyboxFiles(t)
	var numbers strings.Builder
	chance := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		fmt.Fprintln(&numbers, chance.IntN(1e6))
	}
	files["srv/numbers"], files["bin/job"] = text(numbers.String()), dockertest.File{Data: []byte(job), Mode: 0o755}
	for _, applet := range []string{"sort", "gzip", "unshare"} {
		files["bin/"+applet] = dockertest.File{Link: "busybox"}
	}
	files["var/run/secrets/kubernetes.io/serviceaccount/token"] = text("not-a-token\n")
	jobs = d.Image(t, "mayfly-live/job:1", files, "ENV PATH=/bin")
	return web, db, jobs
}

// linked lists a Debian program and the libraries that it needs.
func linked(t *testing.T, program string) []string {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		dockertest.Cannot(t, program+": not installed")
	}
	paths := []string{program}
	for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		paths = append(paths, m[1])
	}
	return paths
}

// built compiles a package, statically, and returns the program.
func built(t *testing.T, pkg string) []byte {
	t.Helper()
	data, err := os.ReadFile(build(t, pkg))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func build(t *testing.T, pkg string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}

// place is where the workloads run.
type place struct {
	docker        *dockertest.Daemon
	web, db, jobs string   // images
	load          string   // the program
	jobOptions    []string // of docker run, for jobs that are attacked
	loads         sync.WaitGroup
	said          sync.Mutex
	replicas      int // begun
}

// serve begins a container of a server and keeps it busy for some seconds.
func (p *place) serve(t *testing.T, name, image, kind, port string, seconds int) *dockertest.Container {
	t.Helper()
	c := p.docker.RunWith(t, []string{"--name", name, "--network", "none"}, image)
	pid := p.docker.Docker(t, "inspect", "--format", "{{.State.Pid}}", c.ID)
	p.replicas++
	seed := fmt.Sprint(p.replicas)
	p.loads.Go(func() {
		time.Sleep(time.Second)
		out, err := exec.CommandContext(t.Context(), "nsenter", "-t", pid, "-n", p.load, kind, port, fmt.Sprint(seconds), seed).CombinedOutput()
		p.said.Lock()
		defer p.said.Unlock()
		t.Logf("%s: %s %v", name, strings.TrimSpace(string(out)), err)
	})
	return c
}

// runJobs runs a job every few seconds until some have passed.
func (p *place) runJobs(t *testing.T, seconds int) {
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	chance := rand.New(rand.NewPCG(uint64(seconds), 7))
	p.loads.Go(func() {
		for time.Now().Before(end) {
			if out, err := p.docker.Try("run", "--rm", "--network", "none", p.jobs, "/bin/job", fmt.Sprint(chance.IntN(4))); err != nil {
				p.said.Lock()
				t.Logf("job: %v %s", err, out)
				p.said.Unlock()
			}
			time.Sleep(time.Duration(1000+chance.IntN(2000)) * time.Millisecond)
		}
	})
}
