package live

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mayfly/feature"
	"mayfly/record/dockertest"
)

var attacksOnly = flag.Bool("attacks-only", false, "record attacks alone, beside what -keep has already")

var replicaMinutes = flag.Float64("replicas", 0, "how many minutes to learn rules from eight replicas of each workload, and as many again to hold out; 0: not at all")

// replicas of each workload, of which half are replaced between learning and
// holding out.
const replicas = 8

// service is what a job runner's container runs: jobs at times of chance, each
// in files of its own, and now and then a question to one of its peers.
const service = `#!/bin/sh
mkdir -p /var/lib/jobs/spool /var/log/jobs
httpd -p 9000 -h /srv
n=0
while :; do
  n=$((n+1)); kind=$((RANDOM % 4)); id=$(cat /proc/sys/kernel/random/uuid)
  echo "$n $kind" >/var/lib/jobs/spool/$id.job
  /bin/job $kind >/var/log/jobs/job-$n.log 2>&1
  t=$(mktemp /tmp/result.XXXXXX); head -n 5 /srv/numbers >$t; mv $t /var/lib/jobs/last
  echo done >>/var/log/jobs/$(date +%Y-%m-%d).log
  rm /var/lib/jobs/spool/$id.job
  a=$((RANDOM % 24)); b=$((RANDOM % 24)); [ $b -lt $a ] && a=$b
  wget -T 2 -O /dev/null http://127.0.1.$((10 + a)):9000/numbers 2>/dev/null
  [ $((RANDOM % 40)) = 0 ] && { tar -czf /var/lib/jobs/backup.tgz /var/log/jobs 2>/dev/null; stat /var/lib/jobs/backup.tgz >/var/log/jobs/backup; }
  [ $((RANDOM % 150)) = 0 ] && { sed -i s/1/2/ /var/lib/jobs/last; find /var/log/jobs -name 'job-*.log' | xargs rm -f; }
  sleep $((1 + RANDOM % 12))
done
`

// TestRules records eight replicas of each workload, holds as long again out, then
// attacks some, and says what rules of the first would have said of the rest.
func TestRules(t *testing.T) {
	if *replicaMinutes == 0 {
		t.Skip("a measurement: ask for it with -replicas 25")
	}
	if os.Geteuid() != 0 {
		dockertest.Cannot(t, "recording needs root")
	}
	m := &measurement{dir: *keep, binary: build(t, "mayfly/cmd/mayfly")}
	if m.dir == "" {
		m.dir = t.TempDir()
	}
	// No lock: it would keep tests waiting for an hour, and --select keeps theirs out.
	p := &place{docker: &dockertest.Daemon{Host: os.Getenv("DOCKER_HOST")}, load: build(t, "./load")}
	p.images(t)
	p.jobOptions = labelled("job")
	f := &fleet{place: p, service: filepath.Join(m.dir, "service")}
	if err := os.WriteFile(f.service, []byte(service), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	seconds := int(60 * *replicaMinutes)
	if !*attacksOnly {
		m.record(t, p, "learned", func(seconds int) {
			f.grow(t, replicas)
			f.busy(t, seconds)
		}, seconds)
		m.record(t, p, "heldout", func(seconds int) {
			f.renew(t, replicas/2)
			f.busy(t, seconds)
		}, seconds)
	}
	m.record(t, p, "attacks", func(seconds int) {
		f.grow(t, max(0, 2-len(f.members)/3))
		m.labels = f.attacked(t, seconds)
	}, 150)
	m.write(t, "labels.csv", m.labels)
	m.rules(t)
}

// rules learns a profile, makes rules of it, and prints what they would have said of
// the time that was held out, and of the attacks.
func (m *measurement) rules(t *testing.T) {
	t.Helper()
	learned, rules := m.path("learned.json"), m.path("rules")
	m.mayfly(t, "profile", "build", m.path("learned"), "-o", learned)
	fmt.Printf("%s\n", m.mayfly(t, "rules", learned, "-o", rules, "--explain", "--test", m.path("heldout")))
	fmt.Printf("%s\n", m.mayfly(t, "rules", learned, "-o", rules, "--test", m.path("attacks"), "--labels", m.path("labels.csv"), "--aftermath", "3s"))
}

// fleet is a number of replicas of each workload.
type fleet struct {
	*place
	service string
	members []member
	started int
}

type member struct {
	*dockertest.Container
	kind string // web, db, job
	seed int
}

// labelled are the labels that Compose gives the containers of a service.
func labelled(service string) []string {
	return []string{"--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=" + service}
}

// grow starts n replicas of each workload, as Compose would label them.
func (f *fleet) grow(t *testing.T, n int) {
	t.Helper()
	for range n {
		for _, w := range []struct {
			kind, image string
			more        []string
		}{{"web", f.web, nil}, {"db", f.db, nil}, {"job", f.jobs, []string{"/bin/service"}}} {
			f.started++
			options := append(options(labelled(w.kind)...), "--name", fmt.Sprintf("profile-%s-%d", w.kind, f.started))
			if w.more != nil {
				options = append(options, "--volume", f.service+":/bin/service:ro")
			}
			c := f.docker.RunWith(t, options, w.image, w.more...)
			f.members = append(f.members, member{c, w.kind, f.started})
		}
	}
}

// renew replaces the oldest n replicas of each workload.
func (f *fleet) renew(t *testing.T, n int) {
	t.Helper()
	for _, m := range f.members[:3*n] {
		m.Remove(t)
	}
	f.members = f.members[3*n:]
	f.grow(t, n)
}

// busy keeps the servers busy for some seconds, at a rate of a few requests a second.
func (f *fleet) busy(t *testing.T, seconds int) {
	t.Helper()
	chance := rand.New(rand.NewPCG(uint64(seconds), uint64(f.started)))
	for _, m := range f.members {
		port := map[string]string{"web": webPort, "db": redisPort}[m.kind]
		if port == "" {
			continue
		}
		kind := map[string]string{"web": "http", "db": "redis"}[m.kind]
		pid := f.docker.Docker(t, "inspect", "--format", "{{.State.Pid}}", m.ID)
		rate := fmt.Sprint(1 + chance.IntN(4))
		f.loads.Go(func() {
			time.Sleep(time.Second)
			out, err := exec.CommandContext(context.Background(), "nsenter", "-t", pid, "-n", f.load, kind, port, fmt.Sprint(seconds), fmt.Sprint(m.seed), rate).CombinedOutput()
			f.said.Lock()
			defer f.said.Unlock()
			t.Logf("%s %d: %s %v", m.kind, m.seed, strings.TrimSpace(string(out)), err)
		})
	}
	time.Sleep(time.Duration(seconds) * time.Second)
}

// attacked attacks one replica of each server, and jobs, one after the other.
func (f *fleet) attacked(t *testing.T, seconds int) (labels []feature.Label) {
	t.Helper()
	targets := map[string]*dockertest.Container{}
	for _, m := range f.members {
		if m.kind != "job" {
			targets[m.kind] = m.Container
		}
	}
	f.loads.Go(func() { f.busy(t, seconds) })
	time.Sleep(10 * time.Second)
	for _, a := range attacks {
		how := slices.Clone(a.how)
		for i := range how {
			how[i] = strings.Replace(how[i], "2000000", "200000", 1) // a miner need not take minutes of a busy machine
		}
		a.how = how
		labels = append(labels, f.perform(t, a, targets[a.in]))
		time.Sleep(3 * time.Second)
	}
	return labels
}
