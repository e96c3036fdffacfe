// Fleet writes the trace of a synthetic fleet: many hosts with many containers, which
// behave as those of a real recording do, to measure with at sizes that nobody wants
// to record.
//
//	go run ./bench/fleet -o fleet -hosts 100 -containers 24 -minutes 60
//
// Containers are made by a moving-block bootstrap (Künsch, "The jackknife and the
// bootstrap for general stationary observations", Annals of Statistics 17, 1989): each
// follows one container of the model, and its time is put together of stretches of that
// one's, ten seconds each, that chance picks. Within a stretch all is as it was: rates,
// calls and their order, events and their arguments; between stretches too are the
// shares of what is busy and what is idle. Containers that lived shorter than 30
// seconds are started anew as often as the model started them beside one long-lived
// container. Hosts, containers, processes and times are a container's own.
//
// What it is not: a window in which two stretches meet has up to two trigrams per thread
// that the model has not, hosts do not differ in their images, and nothing drifts. The
// tables processes and losses are left out.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mayfly/datasets/demo"
	"mayfly/feature"
)

// plan is what to write.
type plan struct {
	out        string
	hosts      int
	containers int
	blocks     int // of blockNS each
	seal       int // blocks in a file
	attacked   int
	copies     int
	bytes      int64 // of the trace at which hosts end; 0: none
	seed       uint64
}

func main() {
	var p plan
	model := flag.String("model", "", "trace `folder` to follow; the recording of mayfly demo when not given")
	labels := flag.String("labels", "", "labels `file` of the model's attacks; that of mayfly demo when no model is given")
	flag.StringVar(&p.out, "o", "", "trace `folder` to write (required)")
	flag.IntVar(&p.hosts, "hosts", 10, "number of hosts")
	flag.IntVar(&p.containers, "containers", 24, "long-lived containers of each host")
	minutes := flag.Int("minutes", 10, "length of the recording")
	rotate := flag.Int("rotate", 5, "minutes in a file")
	flag.IntVar(&p.attacked, "attacked", 0, "hosts, the first ones, with one container more, which is attacked")
	flag.Uint64Var(&p.seed, "seed", 1, "seed of all chance")
	flag.Int64Var(&p.bytes, "bytes", 0, "write hosts until the trace has as many bytes, instead of -hosts")
	flag.IntVar(&p.copies, "copies", 1, "write each host as often, under other names: cheap, where only size matters")
	flag.Parse()
	const perMinute = int(time.Minute / blockNS)
	p.blocks, p.seal = *minutes*perMinute, *rotate*perMinute
	if err := run(p, *model, *labels); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(p plan, model, labels string) error {
	if p.out == "" || flag.NArg() > 0 {
		return errors.New("want -o FOLDER and nothing else but flags")
	}
	if p.hosts < 1 || p.containers < 1 || p.blocks < 1 || p.seal < 1 || p.attacked < 0 || p.bytes < 0 || p.copies < 1 {
		return errors.New("want at least one host, container and minute")
	}
	if model == "" {
		dir, err := os.MkdirTemp("", "mayfly-fleet-*")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if err := demo.Write(dir); err != nil {
			return err
		}
		model, labels = filepath.Join(dir, "trace"), filepath.Join(dir, "labels.csv")
	}
	var attacks []feature.Label
	if labels != "" {
		var err error
		if attacks, err = feature.OpenLabels(labels); err != nil {
			return err
		}
	}
	m, err := learn(model, attacks)
	if err != nil {
		return err
	}
	if p.attacked > 0 && len(m.attacked) == 0 {
		return errors.New("no container of the model is attacked")
	}
	total := int64(0)
	for host := 0; p.bytes > 0 || host < p.hosts; host++ {
		n, err := m.write(p, host)
		if err != nil {
			return err
		}
		if total += n; p.bytes > 0 && total >= p.bytes {
			break
		}
	}
	return nil
}
