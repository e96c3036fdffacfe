package feature

import (
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
)

// Feature is one column that an Encoder makes.
type Feature struct {
	Name   string // of the column
	Family string // volume, calls, deviation, joint, novelty, sequence, nearest, process, file, network, privilege
	Unit   string
	Reason string  // why an attack moves it
	Gone   Missing // the bits of Window.Missing that make it NaN
	read   func(*reading) float64
}

// Features returns every feature, in the order of the columns. The list is the
// same for every Space of this version.
func (s *Space) Features() []Feature { return Features() }

// Features returns every feature, in the order of the columns.
func Features() []Feature { return append([]Feature(nil), features...) }

var (
	features      = makeFeatures()
	featureSchema = makeFeatureSchema()
)

func makeFeatureSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(features))
	for i, f := range features {
		fields[i] = arrow.Field{Name: f.Name, Type: arrow.PrimitiveTypes.Float32}
	}
	return arrow.NewSchema(fields, nil)
}

// value reads one feature, NaN where the source cannot know it.
func (r *reading) value(f *Feature) float32 {
	if r.w.Missing&f.Gone != 0 {
		return float32(math.NaN())
	}
	return float32(f.read(r))
}

// topDeviations is how many of the largest deviations are features.
const topDeviations = 8

func makeFeatures() []Feature {
	var all []Feature
	all = append(all, volumeFeatures()...)
	all = append(all, deviationFeatures()...)
	all = append(all, jointFeatures()...)
	all = append(all, familyFeatures()...)
	all = append(all, noveltyFeatures()...)
	all = append(all, sequenceFeatures()...)
	all = append(all, mixFeatures()...)
	all = append(all, counterFeatures()...)
	return append(all, Feature{Name: "rarity", Family: "rarity", Unit: "bits", Gone: MissingEvents,
		Reason: "something new came where little or nothing new ever comes: a first file below a folder that was never written to, a first peer, a first privilege",
		read:   func(r *reading) float64 { return r.rarity }})
}

// both makes a feature of the window and one of the long scale.
func both(f Feature, long func(*reading) float64) []Feature {
	l := f
	l.Name, l.read = f.Name+"_long", long
	return []Feature{f, l}
}

func volumeFeatures() (all []Feature) {
	const unit = "scales beyond the usual range"
	for _, c := range []struct {
		counter Counter
		name    string
		reason  string
	}{
		{NCalls, "calls", "floods, scans and brute force raise the number of calls, a wedged service lowers it"},
		{NDistinctCalls, "distinct_calls", "a program that does not belong brings a wider set of calls"},
		{NEvents, "events", "an intruder's commands open, execute and connect more than the service does"},
	} {
		long := func(r *reading) float64 {
			return r.longExcess(&r.model.Counters[c.counter][1], r.longCounter(c.counter))
		}
		all = append(all, both(Feature{Name: c.name, Family: "volume", Unit: unit, Reason: c.reason, Gone: Counters[c.counter].Gone,
			read: func(r *reading) float64 {
				return r.shortExcess(&r.model.Counters[c.counter][0], float64(r.w.Counters[c.counter]))
			}}, long)...)
	}
	return all
}

func deviationFeatures() (all []Feature) {
	const unit = "scales from the median, absolute; bits for new things"
	for k := range topDeviations {
		reason := fmt.Sprintf("the call, event counter or new thing that is number %d in how far it lies from what is usual: an attack moves few of them, and which ones differs from attack to attack", k+1)
		all = append(all, both(Feature{Name: fmt.Sprintf("deviation_%d", k+1), Family: "deviation", Unit: unit, Reason: reason,
			Gone: MissingCalls, read: func(r *reading) float64 { return r.short.at(k) }},
			func(r *reading) float64 { return r.longDevs.at(k) })...)
	}
	all = append(all, both(Feature{Name: "deviation_all", Family: "deviation", Unit: "ln(1 + sum of squared deviations)",
		Reason: "many small shifts at once are a change of work that no single call shows",
		Gone:   MissingCalls, read: func(r *reading) float64 { return math.Log1p(r.short.sum) }},
		func(r *reading) float64 { return math.Log1p(r.longDevs.sum) })...)
	return all
}

func jointFeatures() []Feature {
	joint := func(scale int, name, reason string) Feature {
		return Feature{Name: name, Family: "joint", Unit: "ln(1 + T²/n)", Reason: reason, Gone: MissingCalls,
			read: func(r *reading) float64 { return r.joint[scale] }}
	}
	return []Feature{
		joint(jointWindow, "joint", "calls do not go together as they did: an exploit within the usual range of each call breaks the proportions of a service's own work"),
		joint(jointPair, "joint_pair", "the same over the window and the one before it: what happens across their border is whole there"),
	}
}

func familyFeatures() (all []Feature) {
	for f := range numFamilies {
		all = append(all, both(Feature{Name: "calls_" + familyNames[f], Family: "calls", Unit: "scales beyond the usual range",
			Reason: familyReasons[f], Gone: MissingCalls,
			read: func(r *reading) float64 { return r.shortExcess(&r.model.Families[f][0], float64(r.families[f])) }},
			func(r *reading) float64 { return r.longExcess(&r.model.Families[f][1], float64(r.long.families[f])) })...)
	}
	return all
}

// mixFeatures are what the window does with its calls, whatever is usual: not what
// is strange, but what tells kinds of work apart once kinds have labels.
func mixFeatures() (all []Feature) {
	for f := range numFamilies {
		all = append(all, Feature{Name: "mix_" + familyNames[f], Family: "mix", Unit: "[0,1] of calls",
			Reason: familyReasons[f], Gone: MissingCalls,
			read: func(r *reading) float64 { return share(r.families[f], uint64(r.w.Counters[NCalls])) }})
	}
	return all
}

func noveltyFeatures() (all []Feature) {
	count := func(n novel, name, reason string, gone Missing) {
		all = append(all, both(Feature{Name: name, Family: "novelty", Unit: "ln(1 + count)", Reason: reason, Gone: gone,
			read: func(r *reading) float64 { return math.Log1p(float64(r.novel[n])) }},
			func(r *reading) float64 { return math.Log1p(float64(r.long.novelty[n])) })...)
	}
	count(newCalls, "new_calls", "code that the service never ran makes calls that it never made", MissingCalls)
	all = append(all, Feature{Name: "new_calls_share", Family: "novelty", Unit: "[0,1] of calls",
		Reason: "how much of the time goes to calls never seen", Gone: MissingCalls,
		read: func(r *reading) float64 { return share(r.novel[newCallCount], uint64(r.w.Counters[NCalls])) }})
	count(newTrigrams, "new_trigrams", "known calls in an order never seen: injected code and other programs", MissingCalls|MissingOrder)
	all = append(all, Feature{Name: "new_trigrams_share", Family: "novelty", Unit: "[0,1] of trigrams",
		Reason: "how much of the window runs along paths never seen", Gone: MissingCalls | MissingOrder,
		read: func(r *reading) float64 { return share(r.novel[newTrigramCount], sum(r.w.TrigramCounts)) }})
	for i, k := range novelKinds {
		count(newItems+novel(i), "new_"+strings.ReplaceAll(k.kind, "-", "_"), k.reason, MissingEvents)
	}
	return all
}

func counterFeatures() (all []Feature) {
	add := func(family, name, reason string, counters ...Counter) {
		var gone Missing
		for _, c := range counters {
			gone |= Counters[c].Gone
		}
		all = append(all, both(Feature{Name: name, Family: family, Unit: "ln(1 + count)", Reason: reason, Gone: gone,
			read: func(r *reading) float64 {
				n := 0.0
				for _, c := range counters {
					n += float64(r.w.Counters[c])
				}
				return math.Log1p(n)
			}}, func(r *reading) float64 {
			n := 0.0
			for _, c := range counters {
				n += r.longCounter(c)
			}
			return math.Log1p(n)
		})...)
	}
	add("process", "execs", "a shell runs a program for each command", NExecs)
	add("process", "execs_failed", "an intruder tries what is not there", NFailedExecs)
	add("process", "execs_written", "a dropped program is executed", NWrittenExecs)
	add("process", "processes_made", "fork bombs and shells make processes", NForks)
	add("process", "threads_made", "miners and scanners start threads", NThreads)
	add("process", "exits_error", "commands of someone who feels the way end in errors", NExitErrors)
	add("process", "exits_signal", "a failed exploit crashes its victim", NExitSignals)
	add("process", "orphans", "who goes into the background lets go of the process that made him: a payload that outlives its shell", NOrphans)
	add("process", "tree_depth", "a server that runs a shell that runs commands makes generations where there were none", NTreeDepth)
	add("process", "tree_breadth", "one process makes many: a fork bomb, a scan, a script that tries one thing after the other", NTreeBreadth)
	add("process", "active_processes", "a new process joins those that always run", NActiveProcesses)
	add("process", "active_threads", "new threads join those that always run", NActiveThreads)
	add("file", "opens_read", "searching for secrets opens many files", NOpenReads)
	add("file", "opens_write", "ransomware, web shells and payloads write files", NOpenWrites)
	add("file", "opens_failed", "guessing at paths fails often", NOpenFailed)
	add("file", "names_changed", "tools cover their traces by removing and renaming", NUnlinks, NRenames, NLinks)
	add("file", "modes_changed", "a dropped file is made executable, or given away", NChmods, NChowns)
	add("network", "connects", "scans, spraying and call-backs connect", NConnects)
	add("network", "connects_failed", "scans meet closed ports", NConnectsFailed)
	add("network", "accepts", "brute force and floods come in as connections", NAccepts)
	add("network", "binds_listens", "a bind shell takes a port", NBinds, NListens)
	add("privilege", "ids_changed", "privileges are taken or dropped", NSetUIDs, NSetGIDs, NCapSets)
	add("privilege", "namespaces", "an escape enters or makes namespaces", NNamespaces)
	add("privilege", "mounts", "an escape mounts what was not given", NMounts)
	add("privilege", "ptraces", "credentials are read and code is injected by tracing", NPtraces)
	add("privilege", "kernel_loads", "a rootkit loads a module or a BPF program", NModules, NBPFs)
	add("privilege", "memfds", "a program without a file runs from memory", NMemfds)
	ratio := func(family, name, reason string, of, all_ Counter) {
		gone := Counters[of].Gone | Counters[all_].Gone
		all = append(all, both(Feature{Name: name, Family: family, Unit: "[0,1]", Reason: reason, Gone: gone,
			read: func(r *reading) float64 { return share(uint64(r.w.Counters[of]), uint64(r.w.Counters[all_])) }},
			func(r *reading) float64 { return share(r.long.counters[of], r.long.counters[all_]) })...)
	}
	ratio("file", "error_share", "who does not know the house knocks at wrong doors: the share of failed calls grows", NErrors, NEvents)
	return all
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return min(1, float64(part)/float64(whole))
}

func sum(counts []uint32) (n uint64) {
	for _, c := range counts {
		n += uint64(c)
	}
	return n
}
