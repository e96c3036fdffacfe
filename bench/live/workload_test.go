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

// report is what the script behind a web server runs. It trusts its input, as such
// scripts do.
const report = `#!/bin/sh
eval "$QUERY_STRING"
echo "Content-Type: text/plain"
echo
head -n "$n" /srv/numbers | sort -n | tail -n 3
`

// worker takes work from a folder and puts results into another, for ever.
const worker = `#!/bin/sh
mkdir -p /tmp/in /tmp/out
i=0
while :; do
  i=$((i+1))
  head -n $((i % 50 + 1)) /srv/numbers >/tmp/in/$i
  sort -n /tmp/in/$i >/tmp/out/$i
  [ $((i % 7)) -eq 0 ] && { gzip -f /tmp/out/$i; ls /tmp/out >/dev/null; }
  [ $((i % 20)) -eq 0 ] && rm -f /tmp/out/*
  rm /tmp/in/$i
  sleep $((i % 5 + 1))
done
`

// images builds the workloads. All have a shell, as most images do.
func (p *place) images(t *testing.T) {
	d := p.docker
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
	p.web = d.Image(t, "mayfly-live/web:"+*run, with("/usr/sbin/nginx", map[string]dockertest.File{
		"etc/nginx.conf": text(nginxConfiguration), "var/log": dir, "var/log/nginx": dir, "var/lib/nginx": dir, "mnt": dir,
		"www/index.html": text(strings.Repeat("<p>mayfly</p>\n", 200)), "www/about.html": text("<p>about</p>\n"), "www/style.css": text(strings.Repeat("p { margin: 0 }\n", 100)),
		"www/docs/index.html": text("<p>docs</p>\n"), "www/large.bin": text(strings.Repeat("0123456789abcdef", 20_000))}),
		`CMD ["/usr/sbin/nginx","-c","/etc/nginx.conf"]`, "ENV PATH=/bin")
	// The commands that move its files are on, as they were by default for years.
	p.db = d.Image(t, "mayfly-live/db:"+*run, with("/usr/bin/redis-server", map[string]dockertest.File{"data": dir, "root/.ssh": dir, "var/spool": dir, "var/spool/cron": dir}),
		fmt.Sprintf(`CMD ["/usr/bin/redis-server","--port","%s","--bind","127.0.0.1","--dir","/data","--save","20 50","--appendonly","yes","--enable-protected-configs","yes"]`, redisPort), "ENV PATH=/bin")
	files := dockertest.BusyboxFiles(t)
	var numbers strings.Builder
	chance := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		fmt.Fprintln(&numbers, chance.IntN(1e6))
	}
	files["opt"], files["opt/tool"] = dockertest.File{Dir: true}, dockertest.File{Data: tool, Mode: 0o755}
	files["srv/numbers"], files["bin/job"] = text(numbers.String()), dockertest.File{Data: []byte(job), Mode: 0o755}
	for _, applet := range []string{"sort", "gzip", "unshare", "chroot", "mknod"} {
		files["bin/"+applet] = dockertest.File{Link: "busybox"}
	}
	files["var/run/secrets/kubernetes.io/serviceaccount/token"] = text("not-a-token\n")
	p.jobs = d.Image(t, "mayfly-live/job:"+*run, files, "ENV PATH=/bin")
	files["bin/worker"] = dockertest.File{Data: []byte(worker), Mode: 0o755}
	p.worker = d.Image(t, "mayfly-live/worker:"+*run, files, `CMD ["/bin/worker"]`, "ENV PATH=/bin")
	files["www"], files["www/cgi-bin"], files["www/cgi-bin/report"] = dir, dir, dockertest.File{Data: []byte(report), Mode: 0o755}
	p.cgi = d.Image(t, "mayfly-live/cgi:"+*run, files, `CMD ["/bin/httpd","-f","-p","127.0.0.1:`+webPort+`","-h","/www"]`, "ENV PATH=/bin")
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
	docker     *dockertest.Daemon
	web, db    string // images
	cgi        string
	worker     string
	jobs       string
	jobOptions []string // of docker run, for jobs that are attacked
	load       string   // the program
	loads      sync.WaitGroup
	said       sync.Mutex
	started    int // servers
}

// options of docker run that all containers have.
func options(more ...string) []string {
	return append([]string{"--network", "none", "--label", label + "=" + *run}, more...)
}

// serve begins a container of a server and keeps it busy until some time; a worker
// keeps itself busy.
func (p *place) serve(t *testing.T, kind, name string, until time.Time) *dockertest.Container {
	t.Helper()
	image := map[string]string{"web": p.web, "db": p.db, "cgi": p.cgi, "worker": p.worker}[kind]
	c := p.docker.RunWith(t, options("--name", "live-"+*run+"-"+kind+"-"+name), image)
	if kind == "worker" {
		return c
	}
	speaks, port, rate := "http", webPort, *rate
	switch kind {
	case "db":
		speaks, port = "redis", redisPort
	case "cgi":
		speaks, rate = "cgi", rate/8
	}
	pid := p.docker.Docker(t, "inspect", "--format", "{{.State.Pid}}", c.ID)
	p.started++
	seed := fmt.Sprint(p.started)
	p.loads.Go(func() {
		time.Sleep(time.Second)
		seconds := fmt.Sprint(time.Until(until).Seconds())
		out, err := exec.CommandContext(t.Context(), "nsenter", "-t", pid, "-n", p.load, speaks, port, seconds, seed, fmt.Sprint(rate)).CombinedOutput()
		p.said.Lock()
		defer p.said.Unlock()
		t.Logf("%s %s: %s %v", kind, name, strings.TrimSpace(string(out)), err)
	})
	return c
}

// runJobs runs a job every few seconds until some have passed.
func (p *place) runJobs(t *testing.T, seconds int) {
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	chance := rand.New(rand.NewPCG(uint64(seconds), 7))
	p.loads.Go(func() {
		for time.Now().Before(end) {
			args := append(append([]string{"run", "--rm"}, options()...), p.jobs, "/bin/job", fmt.Sprint(chance.IntN(4)))
			if out, err := p.docker.Try(args...); err != nil {
				p.said.Lock()
				t.Logf("job: %v %s", err, out)
				p.said.Unlock()
			}
			time.Sleep(time.Duration(float64(1000+chance.IntN(2000)) * *pause * float64(time.Millisecond)))
		}
	})
}
