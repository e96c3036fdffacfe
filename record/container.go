package record

import (
	"cmp"
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"

	"mayfly/bpf"
	"mayfly/record/runtimes"
	"mayfly/trace"
)

// container is what is known of one container, by its cgroup.
type container struct {
	id      string
	cgroup  uint64
	name    string // of the cgroup
	place   place  // of the cgroup
	firstNS int64  // boot time of the first call seen in it
	goneNS  int64  // boot time when its cgroup was removed; 0 while it is there
	facts   *trace.Container
	told    bool // its row has been written since the last seal

	verdict  verdict
	sure     bool             // no later fact can change it
	judged   *trace.Container // the facts it rests on
	judgedNS int64            // boot time since which they have stood
	untilNS  int64            // boot time; of an unwanted container, what was made until then is written
	silenced bool             // the kernel side knows that it is unwanted
}

// known is what is known of a container by its facts and its cgroup.
func (c *container) known() trace.Container {
	row := trace.Container{Facts: trace.FactsUnknown}
	if c.facts != nil {
		row = *c.facts
	}
	row.Runtime = cmp.Or(row.Runtime, c.place.runtime)
	row.ContainerID, row.CgroupID, row.CgroupName = c.id, c.cgroup, c.name
	row.CgroupPath, row.NestedIn = c.place.path, c.place.nestedIn
	row.PodUID = cmp.Or(row.PodUID, c.place.podUID)
	return row
}

// containers resolves cgroup ids. The kernel side keeps the name of each
// container's cgroup until it is forgotten here, so a container has its id
// however short its life. It is for one goroutine.
type containers struct {
	kernel   *ebpf.Map // nil in tests
	places   *ebpf.Map // nil in tests
	byCgroup map[uint64]*container
	byID     map[string]*container
	facts    map[string]*trace.Container // of the runtime, also of containers not seen yet
	order    []string                    // ids of facts, oldest first

	selection Selection
	last      *container // of a record before, of its cgroup; nil: unknown
}

// maxFacts bounds the facts kept of containers that may never be seen again.
const maxFacts = 1 << 14

// forgetNS is how long a container is remembered after its cgroup was removed.
const forgetNS = 30e9

func newContainers(kernel, places *ebpf.Map) *containers {
	return &containers{kernel: kernel, places: places, byCgroup: map[uint64]*container{},
		byID: map[string]*container{}, facts: map[string]*trace.Container{}}
}

// of returns the container of a cgroup, nil when the cgroup is the host's.
func (cs *containers) of(cgroup uint64) *container {
	if cs.last != nil && cs.last.cgroup == cgroup {
		return cs.last
	}
	if c, ok := cs.byCgroup[cgroup]; ok {
		cs.last = c
		return c
	}
	if cs.kernel == nil {
		return nil
	}
	var value bpf.MayflyContainer
	if err := cs.kernel.Lookup(&cgroup, &value); err != nil {
		if len(cs.byCgroup) < 1<<16 {
			cs.byCgroup[cgroup] = nil // asked once
		}
		return nil
	}
	return cs.meet(cgroup, &value)
}

func (cs *containers) meet(cgroup uint64, value *bpf.MayflyContainer) *container {
	name := string(cstring(value.Name[:]))
	c := &container{cgroup: cgroup, name: name, place: cs.placeOf(cgroup, name),
		firstNS: int64(value.First), goneNS: int64(value.Gone)}
	c.id = c.place.id
	c.facts = cs.facts[c.id]
	known := c.known()
	if c.verdict, c.sure = cs.selection.judge(&known); c.verdict == unwanted && !c.sure {
		c.verdict = undecided
	}
	cs.byCgroup[cgroup] = c
	cs.byID[c.id] = c
	return c
}

// placeOf takes the names above a container's cgroup out of the kernel's map.
func (cs *containers) placeOf(cgroup uint64, name string) place {
	var value bpf.MayflyPlace
	if cs.places == nil || cs.places.LookupAndDelete(&cgroup, &value) != nil {
		return readPlace(name, nil, true)
	}
	above := unsafe.Slice((*byte)(unsafe.Pointer(&value.Above[0])), len(value.Above))
	names, cut := splitAbove(above, len(bpf.MayflyContainer{}.Name))
	return readPlace(name, names, cut)
}

// undecided says whether it is not known yet if a cgroup's container is selected.
func (cs *containers) undecided(cgroup uint64) bool {
	c := cs.byCgroup[cgroup]
	return c != nil && c.verdict == undecided
}

// scan meets the containers of which no record came through, and marks those
// that are gone.
func (cs *containers) scan() error {
	if cs.kernel == nil {
		return nil
	}
	var (
		cgroup uint64
		value  bpf.MayflyContainer
		each   = cs.kernel.Iterate()
	)
	for each.Next(&cgroup, &value) {
		c := cs.byCgroup[cgroup]
		if c == nil {
			c = cs.meet(cgroup, &value)
		}
		if c.goneNS == 0 && value.Gone != 0 {
			c.goneNS, c.told = int64(value.Gone), false
		}
	}
	if err := each.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("map of containers: %w", err)
	}
	return nil
}

// learn takes facts from a runtime, and returns the container that they are of,
// nil where none such has been seen yet.
func (cs *containers) learn(facts *trace.Container) *container {
	known, ok := cs.facts[facts.ContainerID]
	if !ok {
		cs.order = append(cs.order, facts.ContainerID)
	}
	merged := runtimes.Merge(known, facts)
	cs.facts[facts.ContainerID] = merged
	c := cs.byID[facts.ContainerID]
	if c != nil {
		c.facts, c.told = merged, false
	}
	for len(cs.order) > maxFacts {
		delete(cs.facts, cs.order[0])
		cs.order = cs.order[1:]
	}
	return c
}

// rows returns a row for each container that has something new to tell.
func (cs *containers) rows(nowNS int64, clock *clock) (rows []trace.Container) {
	for _, c := range cs.byCgroup {
		if c == nil || c.told || c.verdict != wanted {
			continue
		}
		c.told = true
		row := c.known()
		row.TimeNS = nowNS
		if c.facts == nil {
			row.StartedNS = new(clock.wall(c.firstNS))
		}
		if row.FinishedNS == nil && c.goneNS != 0 {
			row.FinishedNS = new(clock.wall(c.goneNS))
		}
		rows = append(rows, row)
	}
	return rows
}

// again makes rows tell everything once more, for the next file.
func (cs *containers) again() {
	for _, c := range cs.byCgroup {
		if c != nil {
			c.told = false
		}
	}
}

// forget drops containers that have been gone for long. done is called with
// each one's cgroup first.
func (cs *containers) forget(bootNS int64, done func(cgroup uint64)) {
	cs.last = nil
	for cgroup, c := range cs.byCgroup {
		if c == nil || c.goneNS == 0 || bootNS-c.goneNS < forgetNS || !c.told && c.verdict == wanted {
			continue
		}
		done(cgroup)
		if cs.kernel != nil {
			_ = cs.kernel.Delete(&cgroup) // gone already: then there is nothing to drop
		}
		delete(cs.byCgroup, cgroup)
		if cs.byID[c.id] == c {
			delete(cs.byID, c.id)
			delete(cs.facts, c.id)
		}
	}
}
