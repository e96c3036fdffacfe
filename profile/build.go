package profile

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"mayfly/trace"
)

// BuildOptions says how Build goes through traces.
type BuildOptions struct {
	Builder  BuilderOptions
	WindowNS int64 // width of the windows that evidence is counted in; default 1 s
}

// maxOpen is how many containers may have a window open at once; beyond it, all
// windows end early.
const maxOpen = 4096

// Build makes the profile of all containers of some traces, in one pass in the
// order of time. Memory grows with what differs, within the bounds of the options,
// not with the length of the traces. What happened on the host, outside of
// containers, is left out. The same traces give the same profile in whatever order
// they are given. A recording that is given twice is an error.
func Build(ctx context.Context, traces []*trace.Trace, opts BuildOptions) (*Profile, error) {
	s := &stream{opts: opts, builder: NewBuilder(opts.Builder), windows: map[windowKey]*openWindow{},
		lineage: newLineage(), tables: map[string]*trace.CallTable{}, names: map[string]named{}, losses: newLosses(),
		recordings: map[string]*Trace{}, given: map[string]string{}}
	if s.opts.WindowNS <= 0 {
		s.opts.WindowNS = 1e9
	}
	var files []trace.File
	for _, t := range traces {
		if err := s.know(ctx, t); err != nil {
			return nil, err
		}
		files = append(append(files, t.Files(trace.Events)...), t.Files(trace.Sequences)...)
	}
	for row, err := range trace.MergeFiles(ctx, files) {
		if err == nil {
			err = s.add(&row)
		}
		if err != nil {
			return nil, err
		}
	}
	s.flush()
	for key, n := range s.losses.containers {
		s.builder.lose(s.names[key.container].workload, key.container, n)
	}
	return s.builder.Profile(), nil
}

// stream is a Build under way.
type stream struct {
	opts       BuildOptions
	builder    *Builder
	windows    map[windowKey]*openWindow
	lineage    *lineage
	tables     map[string]*trace.CallTable // by machine
	names      map[string]named            // by container
	losses     *losses
	recordings map[string]*Trace // by path of a file
	given      map[string]string // path of a trace, by recording
	items      []Item
	counts     []uint32
}

type named struct{ workload, name string }

type windowKey struct{ host, container string }

// openWindow is the window of a container that is being filled.
type openWindow struct {
	number      int64 // of the window: time by width
	first, last int64 // of its rows
	items       map[Item]uint32
	calls       map[trace.Call]uint32
	trace       *Trace
}

// know reads what a trace says of containers and losses, and what recordings it
// holds.
func (s *stream) know(ctx context.Context, t *trace.Trace) error {
	containers, err := t.Containers(ctx)
	if err != nil {
		return err
	}
	machines := map[string]bool{}
	byBoot := map[string]*Trace{}
	for _, table := range []trace.Table{trace.Events, trace.Sequences} {
		for _, f := range t.Files(table) {
			if f.Rows == 0 {
				continue
			}
			machines[f.Meta.Arch] = true
			key := f.Meta.Host + "\x00" + f.Meta.BootID + "\x00" + f.Meta.Source
			r := byBoot[key]
			if r == nil {
				r = &Trace{Name: filepath.Base(filepath.Clean(t.Path())), Host: f.Meta.Host, BootID: f.Meta.BootID, Source: f.Meta.Source,
					FromNS: f.Meta.FromNS, ToNS: f.Meta.ToNS}
				byBoot[key] = r
			}
			r.FromNS, r.ToNS = min(r.FromNS, f.Meta.FromNS), max(r.ToNS, f.Meta.ToNS)
			s.recordings[f.Path] = r
		}
	}
	for _, r := range byBoot {
		if other, ok := s.given[r.key()]; ok {
			return fmt.Errorf("%s: holds the same recording as %s, which is given too", t.Path(), other)
		}
		s.given[r.key()] = t.Path()
	}
	for id, c := range containers {
		workload := NameOf(&c)
		s.names[id] = named{workload, c.Name}
		s.builder.Declare(workload, &c)
		for machine := range machines {
			s.builder.Machine(workload, machine)
		}
	}
	return s.losses.read(ctx, t)
}

// add takes one row.
func (s *stream) add(row *trace.Row) error {
	var container string
	if row.Event != nil {
		container = row.Event.ContainerID(row.Index)
	} else {
		container = row.Sequence.ContainerID(row.Index)
	}
	if container == "" {
		return nil
	}
	w := s.window(row.File, container, row.TimeNS)
	if row.Event != nil {
		s.event(w, row)
		return nil
	}
	table := s.tables[row.File.Meta.Arch]
	if table == nil {
		var err error
		if table, err = trace.NewCallTable(row.File.Meta.Arch); err != nil {
			return fmt.Errorf("%s: %w", row.File.Path, err)
		}
		s.tables[row.File.Meta.Arch] = table
	}
	for _, n := range row.Sequence.Calls(row.Index) {
		w.calls[table.Call(n)]++
	}
	return nil
}

// window returns the window of a container at a time, and ends the one before.
func (s *stream) window(f *trace.File, container string, atNS int64) *openWindow {
	key := windowKey{f.Meta.Host, container}
	number := atNS / s.opts.WindowNS
	w := s.windows[key]
	if w != nil && (number > w.number || w.trace != s.recordings[f.Path]) {
		s.end(key, w)
		w.number, w.first, w.last, w.trace = number, atNS, atNS, s.recordings[f.Path]
	}
	if w == nil {
		if len(s.windows) >= maxOpen {
			s.flush()
		}
		key.container = strings.Clone(container)
		w = &openWindow{number: number, first: atNS, last: atNS, items: map[Item]uint32{}, calls: map[trace.Call]uint32{}, trace: s.recordings[f.Path]}
		s.windows[key] = w
	}
	w.first, w.last = min(w.first, atNS), max(w.last, atNS)
	return w
}

// event adds the items of an event.
func (s *stream) event(w *openWindow, row *trace.Row) {
	b, i := row.Event, row.Index
	parent := s.lineage.see(row)
	s.items = AppendRow(s.items[:0], b, i)
	switch b.Kind(i) {
	case trace.Exec:
		if ret, _ := b.Ret(i); ret >= 0 && b.Path(i) != "" {
			s.items = append(s.items, NewItem(Parent, List(parent, clean(b.Path(i)))), NewItem(Argv, ArgvShape(b.Path(i), b.Argv(i), b.ArgvCut(i))))
		}
	case trace.Mount:
		s.items = append(s.items, NewItem(Mount, List(clean(b.Addr(i)), Template(b.Path(i)), Template(b.Path2(i)))))
	}
	for _, item := range s.items {
		if n, ok := w.items[item]; ok {
			w.items[item] = n + 1
		} else {
			w.items[Item{item.Kind, strings.Clone(item.Value)}] = 1
		}
	}
}

// end gives a window to the builder and empties it.
func (s *stream) end(key windowKey, w *openWindow) {
	s.items, s.counts = s.items[:0], s.counts[:0]
	for item, n := range w.items {
		s.items, s.counts = append(s.items, item), append(s.counts, n)
	}
	for call, n := range w.calls {
		s.items, s.counts = append(s.items, Item{Call, trace.CallName(call)}), append(s.counts, n)
	}
	clear(w.items)
	clear(w.calls)
	from := w.number * s.opts.WindowNS
	about := s.names[key.container]
	s.builder.Add(&Window{Workload: about.workload, Container: key.container, Name: about.name, Host: key.host, Trace: w.trace,
		StartNS: w.first, EndNS: w.last, Items: s.items, Counts: s.counts,
		Gap: s.losses.gap(key.host, from, from+s.opts.WindowNS)})
}

// flush ends all windows.
func (s *stream) flush() {
	for key, w := range s.windows {
		s.end(key, w)
	}
	clear(s.windows)
}
