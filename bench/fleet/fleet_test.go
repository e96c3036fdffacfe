package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mayfly/trace"
)

func fleetOf(t *testing.T, change func(*plan)) string {
	t.Helper()
	p := plan{out: filepath.Join(t.TempDir(), "fleet"), hosts: 2, containers: 2, blocks: 7, seal: 6, copies: 1, seed: 3}
	change(&p)
	if err := run(p, "", ""); err != nil {
		t.Fatal(err)
	}
	return p.out
}

// contents is the hash of each file of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[rel] = fmt.Sprintf("%x", sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rowsOf are the containers that did anything on a host, and when the first and last
// call was.
func rowsOf(t *testing.T, dir, host string) (containers map[string]bool, first, last time.Time) {
	t.Helper()
	tr, err := trace.OpenHosts(dir, func(h string) bool { return h == host })
	if err != nil {
		t.Fatal(err)
	}
	known, err := tr.Containers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	containers = map[string]bool{}
	lowest, highest := int64(0), int64(0)
	see := func(id string, ns int64) {
		if _, ok := known[id]; !ok {
			t.Fatalf("container %s: nothing is known of it", id)
		}
		containers[id] = true
		if lowest == 0 || ns < lowest {
			lowest = ns
		}
		highest = max(highest, ns)
	}
	if err := each(context.Background(), tr, trace.Sequences, func(s *trace.Sequence) { see(s.ContainerID, s.TimeNS) }); err != nil {
		t.Fatal(err)
	}
	if err := each(context.Background(), tr, trace.Events, func(e *trace.Event) { see(e.ContainerID, e.TimeNS) }); err != nil {
		t.Fatal(err)
	}
	return containers, time.Unix(0, lowest).UTC(), time.Unix(0, highest).UTC()
}

func TestFleet(t *testing.T) {
	dir := fleetOf(t, func(*plan) {})
	if got, want := contents(t, fleetOf(t, func(*plan) {})), contents(t, dir); !reflect.DeepEqual(got, want) {
		t.Error("the same seed gave another fleet")
	}
	a, first, last := rowsOf(t, dir, "node-0000000")
	b, _, _ := rowsOf(t, dir, "node-0000001")
	begin := time.Unix(0, beginNS).UTC()
	if len(a) < 2 || len(b) < 2 || first.Before(begin) || first.After(begin.Add(blockNS)) || last.Before(begin.Add(6*blockNS)) || last.After(begin.Add(7*blockNS)) {
		t.Errorf("%d and %d containers from %v to %v, want two at least in 70 s from %v", len(a), len(b), first, last, begin)
	}
	for id := range a {
		if b[id] {
			t.Errorf("container %s is on two hosts", id)
		}
	}
}

// A copy has its host's rows under another name.
func TestCopies(t *testing.T) {
	dir := fleetOf(t, func(p *plan) { p.hosts, p.copies = 1, 2 })
	hosts, err := trace.HostFolders(dir)
	if want := []string{"node-0000000", "node-0100000"}; err != nil || !reflect.DeepEqual(hosts, want) {
		t.Fatalf("hosts %q, error %v; want %q", hosts, err, want)
	}
	a, from, to := rowsOf(t, dir, hosts[0])
	b, from2, to2 := rowsOf(t, dir, hosts[1])
	if !reflect.DeepEqual(a, b) || from != from2 || to != to2 {
		t.Errorf("%d containers from %v to %v, its copy has %d from %v to %v", len(a), from, to, len(b), from2, to2)
	}
	tr, err := trace.OpenHosts(dir, func(h string) bool { return h == hosts[1] })
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tr.Files(trace.Sequences) {
		if f.Meta.Host != hosts[1] {
			t.Errorf("%s: says that it is of host %s", f.Path, f.Meta.Host)
		}
	}
}

// longLived counts the containers of a fleet that follow those of the demo that lived long.
func longLived(t *testing.T, dir string) (n int) {
	t.Helper()
	tr, err := trace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	containers, err := tr.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if strings.HasPrefix(c.Name, "shop-") || strings.HasPrefix(c.Name, "stock-") {
			n++
		}
	}
	return n
}

// An attacked host has one long-lived container more, and -bytes ends with the host
// that reaches them.
func TestAttackedAndBytes(t *testing.T) {
	one := func(p *plan) { p.bytes, p.containers = 1, 1 }
	plain := fleetOf(t, one)
	attacked := fleetOf(t, func(p *plan) { one(p); p.attacked = 1 })
	hosts, err := trace.HostFolders(plain)
	if err != nil || len(hosts) != 1 {
		t.Errorf("hosts %q, error %v; want one", hosts, err)
	}
	if n, more := longLived(t, plain), longLived(t, attacked); n != 1 || more != 2 {
		t.Errorf("%d long-lived containers, and %d with an attack; want 1 and 2", n, more)
	}
}

func TestRefuses(t *testing.T) {
	for want, p := range map[string]plan{
		"want -o FOLDER":         {hosts: 1, containers: 1, blocks: 1, seal: 1, copies: 1},
		"want at least one host": {out: "x", containers: 1, blocks: 1, seal: 1, copies: 1},
	} {
		if err := run(p, "", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got error %v, want %q", p, err, want)
		}
	}
}

func TestPoisson(t *testing.T) {
	rnd, sum := rand.New(rand.NewPCG(1, 1)), 0
	for range 10_000 {
		sum += poisson(rnd, 2.5)
	}
	if mean := float64(sum) / 10_000; mean < 2.4 || mean > 2.6 {
		t.Errorf("the mean of 10,000 draws is %g, want 2.5", mean)
	}
}
