package trace

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
)

// InspectOptions bound what an Inspection keeps. The zero value of a field means
// its default.
type InspectOptions struct {
	MaxContainers int // told apart; rows of others are counted together; default 65536
	MaxGaps       int // gaps that are listed; default 1024
}

// Inspection says what a trace holds and what it does not.
type Inspection struct {
	SchemaVersion int                  `json:"schema_version"`
	Hosts         []HostSummary        `json:"hosts"`
	Tables        []TableSummary       `json:"tables"`
	FromNS        int64                `json:"from_ns"` // of events and sequences
	ToNS          int64                `json:"to_ns"`
	Kinds         map[string]int64     `json:"kinds"` // events by kind
	Calls         int64                `json:"calls"` // in sequences
	Containers    []ContainerSummary   `json:"containers"`
	Losses        map[string]ClassLoss `json:"losses"` // by class
	Gaps          []Gap                `json:"gaps"`
	MoreGaps      int64                `json:"more_gaps,omitempty"`
	Retention     *Retention           `json:"retention,omitempty"`
}

// HostSummary is what the files of a host say of it.
type HostSummary struct {
	Host     string   `json:"host"`
	Arch     []string `json:"arch"`
	Kernels  []string `json:"kernels"`
	Boots    int      `json:"boots"`
	Recorder []string `json:"recorder"`
	Source   []string `json:"source"`
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	FromNS   int64    `json:"from_ns"`
	ToNS     int64    `json:"to_ns"`
	Ended    *bool    `json:"ended"` // the last recording stopped in good order; null where mayfly recorded none of it
	Blind    []string `json:"blind"` // what the recorder could not see
}

// TableSummary is a table's size on disk.
type TableSummary struct {
	Table   Table    `json:"table"`
	Files   int      `json:"files"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`
	Columns int      `json:"columns"`
	Lacking []string `json:"lacking,omitempty"` // columns that some of the files are too old to have
}

// ContainerSummary is what is there of one container; of the host's own
// processes where ID is empty, and of all that were not told apart where it is
// MoreContainers.
type ContainerSummary struct {
	Host      string               `json:"host"`
	ID        string               `json:"id"`
	Name      string               `json:"name,omitempty"`
	Image     string               `json:"image,omitempty"`
	FromNS    int64                `json:"from_ns"`
	ToNS      int64                `json:"to_ns"`
	Events    int64                `json:"events"`
	Sequences int64                `json:"sequences"`
	Calls     int64                `json:"calls"`
	Losses    map[string]ClassLoss `json:"losses,omitempty"` // by class
}

// MoreContainers stands for the id of containers beyond the limit.
const MoreContainers = "…"

// ClassLoss is what losses rows say of a class, beside the rows that are there.
type ClassLoss struct {
	Produced int64 `json:"produced"`
	Lost     int64 `json:"lost"`
	Rows     int64 `json:"rows"`
}

// Uncounted is how many records are neither there nor counted as lost. It means
// something for a class that is counted, in a trace without retention whose
// recording has ended. Below 0 a recorder was killed whose journal an older
// version salvaged: it did not count what it found.
func (l ClassLoss) Uncounted() int64 { return l.Produced - l.Lost - l.Rows }

// Gap is a time of a host in which nothing was recorded, or rows may be missing.
type Gap struct {
	Host   string `json:"host"`
	FromNS int64  `json:"from_ns"`
	ToNS   int64  `json:"to_ns"`
}

// Retention is what quotas deleted.
type Retention struct {
	Rows   int64 `json:"rows"`
	FromNS int64 `json:"from_ns"`
	ToNS   int64 `json:"to_ns"`
}

// Inspect reads a trace once, a few columns of it. Memory is bounded by the
// options, the trace's files and its table of containers.
func Inspect(ctx context.Context, t *Trace, opts InspectOptions) (*Inspection, error) {
	opts.MaxContainers = cmp.Or(opts.MaxContainers, 1<<16)
	opts.MaxGaps = cmp.Or(opts.MaxGaps, 1024)
	in := &inspector{t: t, opts: opts, containers: map[containerOf]*ContainerSummary{}, out: &Inspection{
		SchemaVersion: SchemaVersion, Kinds: map[string]int64{}, Losses: map[string]ClassLoss{}, Gaps: []Gap{}}}
	if err := in.files(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{in.events, in.sequences, in.losses} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	in.foldSecurity()
	facts, err := t.Containers(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range in.containers {
		c.Name, c.Image = facts[c.ID].Name, facts[c.ID].Image
		in.out.Containers = append(in.out.Containers, *c)
	}
	slices.SortFunc(in.out.Containers, func(a, b ContainerSummary) int {
		return cmp.Or(cmp.Compare(b.Events+b.Sequences, a.Events+a.Sequences), cmp.Compare(a.Host, b.Host), cmp.Compare(a.ID, b.ID))
	})
	return in.out, nil
}

type containerOf struct{ host, id string }

type inspector struct {
	t          *Trace
	opts       InspectOptions
	out        *Inspection
	containers map[containerOf]*ContainerSummary
}

// of returns the summary of a container; Host and ID are copies.
func (in *inspector) of(host, id string) *ContainerSummary {
	if c := in.containers[containerOf{host, id}]; c != nil {
		return c
	}
	if len(in.containers) >= in.opts.MaxContainers {
		host, id = "", MoreContainers
		if c := in.containers[containerOf{host, id}]; c != nil {
			return c
		}
	}
	host, id = string([]byte(host)), string([]byte(id)) // the record is released
	c := &ContainerSummary{Host: host, ID: id, Losses: map[string]ClassLoss{}}
	in.containers[containerOf{host, id}] = c
	return c
}

// saw notes a row of a container at a time.
func (in *inspector) saw(c *ContainerSummary, ns int64) {
	if c.FromNS == 0 && c.ToNS == 0 {
		c.FromNS, c.ToNS = ns, ns
	}
	if in.out.FromNS == 0 && in.out.ToNS == 0 {
		in.out.FromNS, in.out.ToNS = ns, ns
	}
	c.FromNS, c.ToNS = min(c.FromNS, ns), max(c.ToNS, ns)
	in.out.FromNS, in.out.ToNS = min(in.out.FromNS, ns), max(in.out.ToNS, ns)
}

// files sums up what footers say.
func (in *inspector) files() error {
	hosts := map[string]*hostFiles{}
	for _, table := range Tables() {
		sum := TableSummary{Table: table, Columns: len(ArrowSchema(table).Fields())}
		lacking := map[string]bool{}
		for _, f := range in.t.files[table] {
			sum.Files, sum.Rows, sum.Bytes = sum.Files+1, sum.Rows+f.Rows, sum.Bytes+f.Bytes
			open, err := openTable(f.Path)
			if err != nil {
				return err
			}
			for i, c := range open.columns {
				if c == nil {
					lacking[open.schema.Field(i).Name] = true
				}
			}
			open.close()
			h := hosts[f.Meta.Host]
			if h == nil {
				h = &hostFiles{HostSummary: HostSummary{Host: f.Meta.Host, FromNS: f.Meta.FromNS, Blind: []string{}}, boots: map[string]bool{}}
				hosts[f.Meta.Host] = h
			}
			h.add(&f)
		}
		sum.Lacking = slices.Sorted(maps.Keys(lacking))
		in.out.Tables = append(in.out.Tables, sum)
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		h := hosts[name]
		h.Boots = len(h.boots)
		if slices.Contains(h.Source, recorderSource) {
			h.Ended = new(h.ended >= h.ToNS)
		}
		in.out.Hosts = append(in.out.Hosts, h.HostSummary)
	}
	return nil
}

// hostFiles is a HostSummary in the making.
type hostFiles struct {
	HostSummary
	boots map[string]bool
	ended int64 // latest ToNS of a final file
}

func (h *hostFiles) add(f *File) {
	m := &f.Meta
	h.Files, h.Bytes = h.Files+1, h.Bytes+f.Bytes
	h.FromNS, h.ToNS = min(h.FromNS, m.FromNS), max(h.ToNS, m.ToNS)
	h.boots[m.BootID] = true
	if m.Final {
		h.ended = max(h.ended, m.ToNS)
	}
	for _, list := range []struct {
		into *[]string
		text string
	}{{&h.Arch, m.Arch}, {&h.Kernels, m.Kernel}, {&h.Recorder, m.Recorder}, {&h.Source, m.Source}} {
		if !slices.Contains(*list.into, list.text) {
			*list.into = append(*list.into, list.text)
		}
	}
}

// scan reads the first columns of a table, file by file, that names says.
func (in *inspector) scan(ctx context.Context, table Table, names []string, row func(host string, rec arrow.Record) error) error {
	var fields []arrow.Field
	for _, name := range names {
		schema := ArrowSchema(table)
		fields = append(fields, schema.Field(schema.FieldIndices(name)[0]))
	}
	for _, f := range in.t.files[table] {
		open, err := OpenParquet(f.Path, arrow.NewSchema(fields, nil), Limits{})
		if err != nil {
			return err
		}
		for rec, err := range open.Records(ctx) {
			if err == nil {
				err = row(f.Meta.Host, rec)
				rec.Release()
			}
			if err != nil {
				open.close()
				return err
			}
		}
		open.close()
	}
	return nil
}

func (in *inspector) events(ctx context.Context) error {
	return in.scan(ctx, Events, []string{"time_ns", "kind", "container_id"}, func(host string, rec arrow.Record) error {
		c := columns{rec: rec, table: Events}
		times, kinds, ids := c.times("time_ns"), c.strings("kind"), c.strings("container_id")
		for i, ns := range times {
			kind := kinds.Value(i)
			if _, ok := in.out.Kinds[kind]; !ok {
				if len(in.out.Kinds) > 256 { // a foreign file
					kind = MoreContainers
				}
				kind = string([]byte(kind))
			}
			in.out.Kinds[kind]++
			sum := in.of(host, ids.Value(i))
			in.saw(sum, ns)
			sum.Events++
			if class := Kind(kind).Class(); class != "" {
				in.count(sum, class, ClassLoss{Rows: 1})
			}
		}
		return c.err
	})
}

// foldSecurity counts all events as one class where the recording did: the first
// recorders knew no LossSecurity.
func (in *inspector) foldSecurity() {
	if in.out.Losses[LossSecurity].Produced > 0 || in.out.Losses[LossEvents].Produced == 0 {
		return
	}
	maps := []map[string]ClassLoss{in.out.Losses}
	for _, c := range in.containers {
		maps = append(maps, c.Losses)
	}
	for _, m := range maps {
		events, security := m[LossEvents], m[LossSecurity]
		delete(m, LossSecurity)
		events.Rows += security.Rows
		if events != (ClassLoss{}) {
			m[LossEvents] = events
		}
	}
}

// count adds to a class, of the container and of all.
func (in *inspector) count(c *ContainerSummary, class string, n ClassLoss) {
	for _, m := range []map[string]ClassLoss{c.Losses, in.out.Losses} {
		sum := m[class]
		m[class] = ClassLoss{sum.Produced + n.Produced, sum.Lost + n.Lost, sum.Rows + n.Rows}
	}
}

func (in *inspector) sequences(ctx context.Context) error {
	return in.scan(ctx, Sequences, []string{"time_ns", "container_id", "calls"}, func(host string, rec arrow.Record) error {
		c := columns{rec: rec, table: Sequences}
		times, ids := c.times("time_ns"), c.strings("container_id")
		offsets, _ := c.uint16Lists("calls")
		for i, ns := range times {
			sum, calls := in.of(host, ids.Value(i)), int64(offsets[i+1]-offsets[i])
			in.saw(sum, ns)
			sum.Sequences, sum.Calls, in.out.Calls = sum.Sequences+1, sum.Calls+calls, in.out.Calls+calls
			in.count(sum, LossSequences, ClassLoss{Rows: 1})
		}
		return c.err
	})
}

func (in *inspector) losses(ctx context.Context) error {
	for _, f := range in.t.files[Losses] {
		for rec, err := range in.t.Scan(ctx, Losses, ScanOptions{Files: []File{f}}) {
			if err != nil {
				return err
			}
			rows, err := Rows[Loss](rec)
			rec.Release()
			if err != nil {
				return &FileError{f.Path, err}
			}
			for i := range rows {
				in.loss(f.Meta.Host, &rows[i])
			}
		}
	}
	slices.SortFunc(in.out.Gaps, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.FromNS, b.FromNS)) })
	return nil
}

func (in *inspector) loss(host string, l *Loss) {
	switch l.Class {
	case LossGap:
		if len(in.out.Gaps) < in.opts.MaxGaps {
			in.out.Gaps = append(in.out.Gaps, Gap{host, l.FromNS, l.ToNS})
		} else {
			in.out.MoreGaps++
		}
	case LossRetention:
		r := in.out.Retention
		if r == nil {
			r = &Retention{FromNS: l.FromNS, ToNS: l.ToNS}
			in.out.Retention = r
		}
		r.Rows, r.FromNS, r.ToNS = r.Rows+l.Lost, min(r.FromNS, l.FromNS), max(r.ToNS, l.ToNS)
	default:
		class := l.Class
		if _, ok := in.out.Losses[class]; !ok && len(in.out.Losses) > 64 { // a foreign file
			class = MoreContainers
		}
		in.count(in.of(host, l.ContainerID), class, ClassLoss{Produced: l.Produced, Lost: l.Lost})
	}
}
