package profile

import (
	"maps"
	"slices"
	"strings"

	"mayfly/trace"
)

// BuilderOptions bounds a Builder.
type BuilderOptions struct {
	MaxItems      int // per workload and kind; default 4096
	MaxContainers int // names of containers, and of hosts, kept per workload; default 4096
	MaxWorkloads  int // default 4096; the rest is counted into Unknown
}

// DefaultBuilderOptions are the bounds where an option is 0.
var DefaultBuilderOptions = BuilderOptions{MaxItems: 4096, MaxContainers: 4096, MaxWorkloads: 4096}

// Builder makes a profile of windows. It keeps sets, sums, minima and maxima
// only, and where a set is full the items with the smallest hashes stay: so the
// profile does not depend on the order of Add, Declare and Machine (as long as
// there are no more workloads than MaxWorkloads). Not safe for concurrent use.
type Builder struct {
	opts      BuilderOptions
	workloads map[string]*building
}

// NewBuilder returns an empty builder.
func NewBuilder(opts BuilderOptions) *Builder {
	if opts.MaxItems <= 0 {
		opts.MaxItems = DefaultBuilderOptions.MaxItems
	}
	if opts.MaxContainers <= 0 {
		opts.MaxContainers = DefaultBuilderOptions.MaxContainers
	}
	if opts.MaxWorkloads <= 0 {
		opts.MaxWorkloads = DefaultBuilderOptions.MaxWorkloads
	}
	return &Builder{opts: opts, workloads: map[string]*building{}}
}

// building is a workload in the making.
type building struct {
	head  Workload // all but Items and Overflow
	kinds map[string]*kindSet
}

// AddGap says of a window that was added that rows of it may be missing: the
// recorder was down or cut off at some time of it, or its files were deleted.
func (b *Builder) AddGap(workload string) { b.workload(workload).head.GapWindows++ }

// Add adds one window of one container: what it did, with counts[i] the number
// of times of items[i] (1 each where counts is nil), and how many of its records
// were lost. Unknown kinds and empty values are left out. Nothing is kept of the
// slices.
func (b *Builder) Add(workload, container, host string, startNS, endNS int64, items []Item, counts []uint32, lost int64) {
	w := b.workload(workload)
	w.head.widen(startNS, max(startNS, endNS))
	w.head.Windows++
	w.head.Lost += max(lost, 0)
	if container != "" {
		w.head.Containers = insert(w.head.Containers, clean(container), b.opts.MaxContainers)
	}
	if host != "" {
		w.head.Hosts = insert(w.head.Hosts, clean(host), b.opts.MaxContainers)
	}
	inContainer, onHost := hash(container), hash(host)
	for i, item := range items {
		if !knownKind(item.Kind) || item.Value == "" {
			continue
		}
		count := int64(1)
		if counts != nil {
			count = int64(counts[i])
		}
		set := w.kinds[item.Kind]
		if set == nil {
			set = &kindSet{limit: b.opts.MaxItems, members: map[string]*member{}}
			w.kinds[item.Kind] = set
		}
		set.total += count
		if m := set.member(clean(item.Value)); m != nil {
			m.add(count, w.head.Windows, startNS, max(startNS, endNS), inContainer, onHost)
		}
	}
}

// Declare adds what a runtime said of a container of the workload.
func (b *Builder) Declare(workload string, c *trace.Container) {
	b.workload(workload).head.Declare(c)
}

// Machine adds the machine, as GOARCH names it, that a workload was recorded on.
func (b *Builder) Machine(workload, goarch string) {
	b.workload(workload).head.AddMachine(goarch)
}

// Profile returns the profile of what was added so far. The builder may go on.
func (b *Builder) Profile() *Profile {
	p := &Profile{Workloads: []Workload{}}
	for _, name := range slices.Sorted(maps.Keys(b.workloads)) {
		p.Workloads = append(p.Workloads, b.workloads[name].workload())
	}
	return p
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
		w = &building{head: Workload{Name: name}, kinds: map[string]*kindSet{}}
		b.workloads[name] = w
	}
	return w
}

// workload copies what was built.
func (w *building) workload() Workload {
	out := w.head
	out.Items = []Entry{}
	out.Containers = append([]string{}, w.head.Containers...)
	out.Hosts = append([]string{}, w.head.Hosts...)
	out.Machines = slices.Clone(w.head.Machines)
	if w.head.Declared != nil {
		out.Declared = &Declared{}
		out.Declared.merge(w.head.Declared)
	}
	for _, kind := range slices.Sorted(maps.Keys(w.kinds)) {
		set := w.kinds[kind]
		rest := set.total
		for _, value := range slices.Sorted(maps.Keys(set.members)) {
			m := set.members[value]
			e := m.Evidence
			e.Containers, e.Hosts = len(m.containers), len(m.hosts)
			rest -= e.Count
			out.Items = append(out.Items, Entry{Item{kind, value}, e})
		}
		if rest > 0 {
			out.Overflow = append(out.Overflow, Overflow{kind, rest})
		}
	}
	return out
}

// widen makes the workload's time include [from, to].
func (w *Workload) widen(from, to int64) {
	if w.Windows == 0 {
		w.FromNS, w.ToNS = from, to
	}
	w.FromNS, w.ToNS = min(w.FromNS, from), max(w.ToNS, to)
}
