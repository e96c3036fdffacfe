package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mayfly/trace"
)

// beginNS is when fleets begin: 2026-01-01 00:00 UTC.
const beginNS = 1_767_225_600_000_000_000

// instance is one container of the fleet.
type instance struct {
	of      *template
	id      string
	number  int // on its host
	startNS int64
	chunks  map[int32]int64 // of the next sequence, by thread
	told    bool
}

// host is the writing of one.
type host struct {
	name      string
	writer    *trace.Writer
	rnd       *rand.Rand
	numbers   int
	events    []trace.Event
	sequences []trace.Sequence
}

// write makes one host's files, and returns their length.
func (m *model) write(p plan, number int) (int64, error) {
	name := nodeName(number)
	meta := m.meta
	meta.Host, meta.Recorder = name, "mayfly bench/fleet"
	meta.FromNS, meta.ToNS, meta.Final = 0, 0, false
	meta.BootID = fmt.Sprintf("%08x-0000-4000-8000-%012x", number, p.seed)
	meta.ClockOffsetNS = beginNS - int64(time.Hour) // booted an hour before
	w, err := trace.NewWriter(p.out, meta, trace.DefaultWriterOptions())
	if err != nil {
		return 0, err
	}
	h := &host{name: name, writer: w, rnd: rand.New(rand.NewPCG(p.seed, uint64(number)))}
	if err := m.record(p, h, number < p.attacked); err != nil {
		return 0, errors.Join(err, w.Abort())
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	n, err := length(p.out, name)
	for i := 1; i < p.copies && err == nil; i++ {
		err = clone(p.out, name, nodeName(i*cloneStep+number))
	}
	return n * int64(p.copies), err
}

// cloneStep keeps the numbers of copies apart from those of hosts.
const cloneStep = 100_000

func nodeName(number int) string { return fmt.Sprintf("node-%07d", number) }

// clone writes a host's files again as those of another one, whose name is as long: it
// stands in a file's metadata, behind all rows. Ids of containers stay; with the host
// they are others.
func clone(dir, from, to string) error {
	return eachFile(dir, from, func(path string, _ fs.FileInfo) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		at := bytes.LastIndex(content, []byte(from)) // of key and value in the footer
		if at < len(content)-1<<16 {
			return fmt.Errorf("%s: its footer does not name %s", path, from)
		}
		copy(content[at:], to)
		path = strings.Replace(path, "host="+from, "host="+to, 1)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, content, 0o600)
	})
}

func (m *model) record(p plan, h *host, attacked bool) error {
	var services, once []*instance
	for range p.containers {
		services = append(services, h.begin(m.services[h.rnd.IntN(len(m.services))], beginNS))
	}
	if attacked {
		c := m.attacked[h.rnd.IntN(len(m.attacked))]
		once = append(once, h.begin(c, beginNS+h.rnd.Int64N(max(1, int64(p.blocks)*int64(blockNS)-c.lengthNS))))
	}
	for block := range p.blocks {
		from := beginNS + int64(block)*int64(blockNS)
		for _, c := range services {
			o := h.rnd.Int64N(c.of.lengthNS - int64(blockNS) + 1)
			h.copy(c, o, o+int64(blockNS), from)
		}
		if len(m.jobs) > 0 {
			for range poisson(h.rnd, m.perBlock*float64(p.containers)) {
				once = append(once, h.begin(m.jobs[h.rnd.IntN(len(m.jobs))], from+h.rnd.Int64N(int64(blockNS))))
			}
		}
		once = slices.DeleteFunc(once, func(c *instance) bool {
			rel := from - c.startNS
			h.copy(c, max(0, rel), rel+int64(blockNS), max(from, c.startNS))
			return rel+int64(blockNS) > c.of.lengthNS
		})
		if err := h.flush(); err != nil {
			return err
		}
		if (block+1)%p.seal == 0 && block+1 < p.blocks {
			if err := h.writer.Seal(false); err != nil {
				return err
			}
		}
	}
	return nil
}

// poisson draws how often something comes that comes mean times (Knuth, The Art of
// Computer Programming 2, 3.4.1).
func poisson(rnd *rand.Rand, mean float64) (n int) {
	for left := rnd.Float64(); left > math.Exp(-mean); left *= rnd.Float64() {
		n++
	}
	return n
}

func (h *host) begin(of *template, startNS int64) *instance {
	h.numbers++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", h.name, h.numbers))
	return &instance{of: of, id: hex.EncodeToString(sum[:]), number: h.numbers, startNS: startNS, chunks: map[int32]int64{}}
}

// copy puts a stretch of a template's life, [from, to) since its begin, at a time.
func (h *host) copy(c *instance, from, to, atNS int64) {
	if from >= to {
		return
	}
	shift := atNS - from - c.of.fromNS
	own := int32(c.number) * 1_000_000 // process numbers of the container's own
	boot := atNS - beginNS + int64(time.Hour) - from
	events, sequences := c.of.within(from, to)
	for _, e := range events {
		e.TimeNS += shift
		e.BootNS = boot + e.TimeNS - shift - c.of.fromNS
		e.ContainerID, e.CgroupID, e.PID, e.TID, e.PPID = c.id, uint64(c.number), own+e.PID, own+e.TID, own+e.PPID
		e.Path, e.Path2 = h.renamed(c, e.Path), h.renamed(c, e.Path2)
		e.CPU, e.Seq = nil, nil
		h.events = append(h.events, e)
	}
	for _, s := range sequences {
		s.TimeNS += shift
		s.BootNS = boot + s.TimeNS - shift - c.of.fromNS
		s.ContainerID, s.CgroupID, s.PID, s.TID = c.id, uint64(c.number), own+s.PID, own+s.TID
		s.Chunk = c.chunks[s.TID]
		c.chunks[s.TID]++
		s.CPU, s.Seq = nil, nil
		h.sequences = append(h.sequences, s)
	}
	if !c.told && len(events)+len(sequences) > 0 {
		c.told = true
		about := c.of.about
		about.TimeNS, about.ContainerID, about.CgroupID = c.startNS, c.id, uint64(c.number)
		about.Name = fmt.Sprintf("%s-%s-%d", strings.TrimRight(about.Name, "-0123456789"), h.name, c.number)
		about.StartedNS, about.FinishedNS = &c.startNS, nil
		_ = h.writer.Containers([]trace.Container{about}) // an error stays with the writer until Seal
	}
}

// renamed puts the container's own id where the template's stood.
func (h *host) renamed(c *instance, path string) string {
	id := c.of.about.ContainerID
	path = strings.ReplaceAll(path, id, c.id)
	return strings.ReplaceAll(path, id[:12], c.id[:12])
}

// flush writes a block in the order of time.
func (h *host) flush() error {
	slices.SortStableFunc(h.events, func(a, b trace.Event) int { return cmp.Compare(a.TimeNS, b.TimeNS) })
	slices.SortStableFunc(h.sequences, func(a, b trace.Sequence) int { return cmp.Compare(a.TimeNS, b.TimeNS) })
	err := errors.Join(h.writer.Events(h.events), h.writer.Sequences(h.sequences))
	h.events, h.sequences = h.events[:0], h.sequences[:0]
	return err
}

// length sums up the files of a host.
func length(dir, host string) (n int64, err error) {
	err = eachFile(dir, host, func(_ string, info fs.FileInfo) error { n += info.Size(); return nil })
	return n, err
}

// eachFile calls take for each file of a host.
func eachFile(dir, host string, take func(path string, info fs.FileInfo) error) error {
	for _, table := range trace.Tables() {
		root := filepath.Join(dir, string(table), "host="+trace.HostFolder(host))
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			return take(path, info)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
