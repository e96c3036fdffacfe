package profile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"mayfly/trace"
)

// BuilderOptions bounds a Builder.
type BuilderOptions struct {
	MaxItems      int // per workload and kind; default 4096
	MaxContainers int // containers, and hosts, kept per workload; default and most 4096
	MaxWorkloads  int // default 4096; the rest is counted into Unknown
}

// DefaultBuilderOptions are the bounds where an option is 0.
var DefaultBuilderOptions = BuilderOptions{MaxItems: 4096, MaxContainers: maxMembers, MaxWorkloads: 4096}

// maxTraces is how many recordings a profile lists.
const maxTraces = maxMembers

// Builder makes a profile of windows. It keeps sets, sums, minima and maxima
// only, and where a set is full the members with the smallest hashes stay: so the
// profile does not depend on the order of Add, Declare and Machine (as long as
// there are no more workloads than MaxWorkloads). Not safe for concurrent use.
type Builder struct {
	opts      BuilderOptions
	workloads map[string]*building
	traces    *sample[Trace]
}

// NewBuilder returns an empty builder.
func NewBuilder(opts BuilderOptions) *Builder {
	d := DefaultBuilderOptions
	opts.MaxItems, opts.MaxWorkloads = positive(opts.MaxItems, d.MaxItems), positive(opts.MaxWorkloads, d.MaxWorkloads)
	opts.MaxContainers = min(positive(opts.MaxContainers, d.MaxContainers), maxMembers)
	return &Builder{opts: opts, workloads: map[string]*building{}, traces: newSample[Trace](maxTraces)}
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Window is what one container did in a span of time. Unknown kinds and empty
// values are left out. A Builder keeps nothing of the slices.
type Window struct {
	Workload  string // see NameOf; "": Unknown
	Container string // id; "": the window counts for the workload, and no replica has it
	Name      string // of the container, "" where unknown
	Host      string
	Trace     *Trace // the recording that it is of; nil: not known
	StartNS   int64
	EndNS     int64
	Items     []Item
	Counts    []uint32 // beside Items: how often; nil: once each
	Lost      int64    // records of it that were lost
	Gap       bool     // rows of it may be missing: the recorder was down or cut off, or files were deleted
}

// building is a workload in the making.
type building struct {
	head     Workload // all but Containers, Items and Overflow
	replicas *sample[Replica]
	kinds    map[string]*kindSet
}

// kindSet holds the items of one kind of a workload.
type kindSet struct {
	*sample[member]
	total int64 // occurrences, those of values left out included
}

// member is the evidence of one value in the making.
type member struct {
	Evidence
	lastWindow         int64    // ordinal of the window last counted
	containers, traces []uint64 // the smallest hashes, sorted, at most MaxEvidence
}

// Add adds one window.
func (b *Builder) Add(w *Window) {
	to := b.workload(w.Workload)
	one := Replica{Windows: 1, Lost: max(w.Lost, 0), FromNS: w.StartNS, ToNS: max(w.StartNS, w.EndNS)}
	if w.Gap {
		one.GapWindows = 1
	}
	to.widen(&one)
	var inContainer, inTrace uint64
	if w.Container != "" {
		one.Name, one.Host = clean(w.Name), clean(w.Host)
		to.replica(w.Container, &one)
		inContainer = hash(clean(w.Container))
	}
	if w.Host != "" {
		to.head.Hosts = insert(to.head.Hosts, clean(w.Host), b.opts.MaxContainers)
	}
	if w.Trace != nil {
		inTrace = b.trace(w.Trace)
	}
	for i, item := range w.Items {
		if !knownKind(item.Kind) || item.Value == "" {
			continue
		}
		count := int64(1)
		if w.Counts != nil {
			count = int64(w.Counts[i])
		}
		set := to.kind(item.Kind, b.opts.MaxItems)
		set.total += count
		m := set.at(clean(item.Value))
		if m == nil {
			continue
		}
		m.seen(count, 0, one.FromNS, one.ToNS)
		if m.lastWindow != to.head.Windows {
			m.Windows++
			m.lastWindow = to.head.Windows
		}
		if w.Container != "" {
			m.containers = insertHash(m.containers, inContainer)
		}
		if w.Trace != nil {
			m.traces = insertHash(m.traces, inTrace)
		}
	}
}

// trace notes a recording and returns its hash.
func (b *Builder) trace(t *Trace) uint64 {
	key := t.key()
	if at := b.traces.at(key); at != nil {
		name := max(at.Name, clean(t.Name)) // of two copies of one recording
		*at = *t
		at.Name, at.Host, at.BootID, at.Source = name, clean(t.Host), clean(t.BootID), clean(t.Source)
	}
	return hash(key)
}

// widen counts windows of a container into the workload.
func (w *building) widen(r *Replica) {
	if r.Windows > 0 {
		if w.head.Windows == 0 {
			w.head.FromNS, w.head.ToNS = r.FromNS, r.ToNS
		}
		w.head.FromNS, w.head.ToNS = min(w.head.FromNS, r.FromNS), max(w.head.ToNS, r.ToNS)
	}
	w.head.Windows += r.Windows
	w.head.Lost += r.Lost
	w.head.GapWindows += r.GapWindows
}

// replica counts windows of a container.
func (w *building) replica(id string, r *Replica) {
	if at := w.replicas.at(clean(id)); at != nil {
		at.add(r)
	}
}

func (w *building) kind(kind string, limit int) *kindSet {
	set := w.kinds[kind]
	if set == nil {
		set = &kindSet{sample: newSample[member](limit)}
		w.kinds[kind] = set
	}
	return set
}

// seen counts occurrences.
func (m *member) seen(count, windows, fromNS, toNS int64) {
	if m.Windows == 0 && m.Count == 0 {
		m.FirstNS, m.LastNS = fromNS, toNS
	}
	m.FirstNS, m.LastNS = min(m.FirstNS, fromNS), max(m.LastNS, toNS)
	m.Count += count
	m.Windows += windows
}

// lose counts records that a container lost, in whatever window.
func (b *Builder) lose(workload, container string, lost int64) {
	one := &Replica{Lost: lost}
	to := b.workload(workload)
	to.widen(one)
	to.replica(container, one)
}

// Declare adds what a runtime said of a container of the workload.
func (b *Builder) Declare(workload string, c *trace.Container) {
	b.workload(workload).head.Declare(c)
}

// Machine adds the machine, as GOARCH names it, that a workload was recorded on.
func (b *Builder) Machine(workload, goarch string) {
	b.workload(workload).head.AddMachine(goarch)
}

func (b *Builder) workload(name string) *building {
	if name = clean(name); name == "" {
		name = Unknown
	}
	w := b.workloads[name]
	if w == nil && len(b.workloads) >= b.opts.MaxWorkloads && name != Unknown {
		return b.workload(Unknown)
	}
	if w == nil {
		name = strings.Clone(name)
		w = &building{head: Workload{Name: name}, replicas: newSample[Replica](b.opts.MaxContainers), kinds: map[string]*kindSet{}}
		b.workloads[name] = w
	}
	return w
}

// Profile returns the profile of what was added so far. The builder may go on.
func (b *Builder) Profile() *Profile {
	p := &Profile{Workloads: []Workload{}}
	for _, key := range b.traces.names() {
		p.Traces = append(p.Traces, b.traces.slots[key].value)
	}
	slices.SortFunc(p.Traces, compareTraces)
	places := make(map[uint64]int, len(p.Traces))
	for i := range p.Traces {
		places[hash(p.Traces[i].key())] = i
	}
	for _, name := range slices.Sorted(maps.Keys(b.workloads)) {
		p.Workloads = append(p.Workloads, b.workloads[name].workload(places))
	}
	return p
}

func compareTraces(a, b Trace) int {
	return cmp.Or(cmp.Compare(a.FromNS, b.FromNS), strings.Compare(a.Host, b.Host), strings.Compare(a.BootID, b.BootID),
		strings.Compare(a.Source, b.Source), cmp.Compare(a.ToNS, b.ToNS), strings.Compare(a.Name, b.Name))
}

// workload copies what was built. places are those of the traces, by hash.
func (w *building) workload(places map[uint64]int) Workload {
	out := w.head
	out.Items = []Entry{}
	out.Containers = []Replica{}
	containers := map[uint64]int{}
	for i, id := range w.replicas.names() {
		slot := w.replicas.slots[id]
		slot.value.ID = id
		out.Containers = append(out.Containers, slot.value)
		containers[slot.hash] = i
	}
	out.Hosts = append([]string{}, w.head.Hosts...)
	out.Machines = slices.Clone(w.head.Machines)
	if w.head.Declared != nil {
		out.Declared = &Declared{}
		out.Declared.merge(w.head.Declared)
	}
	for _, kind := range slices.Sorted(maps.Keys(w.kinds)) {
		set := w.kinds[kind]
		rest := set.total
		for _, value := range set.names() {
			m := &set.slots[value].value
			e := Entry{Item: Item{kind, value}, Evidence: m.Evidence, In: placed(m.containers, containers), Traces: placed(m.traces, places)}
			e.Containers, e.Hosts = len(e.In), hosts(out.Containers, e.In)
			rest -= e.Count
			out.Items = append(out.Items, e)
		}
		if rest > 0 {
			out.Overflow = append(out.Overflow, Overflow{kind, rest})
		}
	}
	return out
}

// placed turns hashes into places; those that were not kept have none.
func placed(hashes []uint64, places map[uint64]int) Members {
	var m Members
	for _, h := range hashes {
		if at, ok := places[h]; ok {
			m = append(m, at)
		}
	}
	slices.Sort(m)
	return m
}

// hosts counts the different hosts of some containers.
func hosts(containers []Replica, in Members) int {
	var names []string
	for _, i := range in {
		if host := containers[i].Host; host != "" {
			names = insert(names, host, MaxEvidence)
		}
	}
	return len(names)
}
