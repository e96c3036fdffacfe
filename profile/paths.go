package profile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// PathOptions bounds what Generalise makes of paths.
type PathOptions struct {
	MaxChildren int // names of one directory before everything in it is meant; default 16
	MaxPaths    int // paths and names in all before directories are; default 48
	MaxNames    int // of them, names with a wildcard; default 12

	// Guarded says of a directory that it must never be meant as a whole: one file
	// written to /etc says nothing of the next. Literal says that its names must not
	// even be given a wildcard: the next file in /etc/cron.d is another program.
	Guarded, Literal func(dir string) bool
}

// PathSet is a set of paths that was learned: what Generalise returns.
type PathSet struct {
	Exact     []string   // whole paths, sorted
	Below     []string   // directories with everything in them, sorted, without a slash at the end
	Names     []string   // paths in which * is any text, sorted
	Wildcards []Wildcard // what Below and Names cost, sorted by pattern
	Misses    int        // values of one replica alone that the set would not admit without it, over all replicas
	Late      int        // of paths, names and directories, those first seen in the last fifth of the time
	Left      []string   // names with a wildcard that did not fit, sorted
	Seen      []int      // in how many containers each path, name and directory of the set was seen, in no order
}

// Generalise makes a set of the paths of entries, whose values are Templates. A
// path stays as it is, unless the evidence says that names like it differ from
// replica to replica or from hour to hour: names that differ in their numbers
// alone, then names that begin and end alike, become one with a wildcard; where
// others that differ are left, the directory is meant as a whole. Every wildcard
// has its price. Paths that do not begin with a slash are left out.
func Generalise(w *Workload, entries []Entry, opts PathOptions) PathSet {
	g := &pathGeneraliser{opts: opts, trial: newTrial(w), names: map[string]bool{}}
	g.opts.MaxChildren = positive(opts.MaxChildren, 16)
	g.opts.MaxPaths = positive(opts.MaxPaths, 48)
	g.opts.MaxNames = positive(opts.MaxNames, 12)
	root := newPathNode()
	for i := range entries {
		path := entries[i].Item.Value
		switch {
		case !strings.HasPrefix(path, "/"):
		case strings.Contains(path, "*"):
			g.emit(path, sightingOf(&entries[i]), "") // a star of its own cannot be told from a wildcard
		default:
			root.add(strings.Split(path[1:], "/"), sightingOf(&entries[i]))
		}
	}
	g.walk(root, "")
	g.bound()
	return g.finish()
}

// pathNode is a directory, or a file, or both.
type pathNode struct {
	children map[string]*pathNode
	own      []sighting // of the path itself
}

func newPathNode() *pathNode { return &pathNode{children: map[string]*pathNode{}} }

func (n *pathNode) add(parts []string, s sighting) {
	if len(parts) == 0 {
		n.own = append(n.own, s)
		return
	}
	child := n.children[parts[0]]
	if child == nil {
		child = newPathNode()
		n.children[parts[0]] = child
	}
	child.add(parts[1:], s)
}

// all returns the sightings of the node and of everything below it.
func (n *pathNode) all() []sighting {
	out := slices.Clone(n.own)
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		out = append(out, n.children[name].all()...)
	}
	return out
}

// merge takes in another node.
func (n *pathNode) merge(other *pathNode) {
	n.own = append(n.own, other.own...)
	for name, child := range other.children {
		if mine := n.children[name]; mine != nil {
			mine.merge(child)
		} else {
			n.children[name] = child
		}
	}
}

type pathGeneraliser struct {
	opts  PathOptions
	trial trial
	found []foundPath
	names map[string]bool // names with a wildcard that were priced already
	cards []Wildcard
}

// foundPath is a path of the set in the making.
type foundPath struct {
	path string // with * where it is a name; a directory without a slash at its end
	form Form   // "", FormName or FormBelow
	sighting
	missed int
}

// walk goes through a directory.
func (g *pathGeneraliser) walk(n *pathNode, dir string) {
	literal := g.opts.Literal != nil && g.opts.Literal(orElse(dir, "/"))
	if !literal {
		g.group(n, dir, shape, 1)
		g.group(n, dir, ends, 2)
	}
	var plain []sighting // a sighting for each name that is left as it is
	for name, child := range n.children {
		if !strings.Contains(name, "*") {
			plain = append(plain, join(child.all()))
		}
	}
	replicas, late := g.trial.saved(plain)
	if guarded := g.opts.Guarded != nil && g.opts.Guarded(orElse(dir, "/")); !guarded && dir != "" && !strings.Contains(dir, "*") {
		if max(replicas, late) >= least || len(plain) > g.opts.MaxChildren {
			g.below(n, dir, replicas, late)
			return
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		child, path := n.children[name], dir+"/"+name
		if len(child.own) > 0 {
			g.file(child, path)
		}
		g.walk(child, path)
	}
}

// group gives names of one directory that key makes the same one name with a
// wildcard, where that saves alarms, or where a template is among them.
func (g *pathGeneraliser) group(n *pathNode, dir string, key func(string) string, worth int) {
	groups := map[string][]string{}
	for name := range n.children {
		if k := key(name); k != name && k != "" {
			groups[k] = append(groups[k], name)
		}
	}
	splitRandom(groups)
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		names := groups[k]
		slices.Sort(names)
		sightings := make([]sighting, len(names))
		for i, name := range names {
			sightings[i] = join(n.children[name].all())
		}
		replicas, late := g.trial.saved(sightings)
		template := slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "<") })
		if !template && max(replicas, late) < worth {
			continue
		}
		merged := newPathNode()
		for _, name := range names {
			merged.merge(n.children[name])
			delete(n.children, name)
		}
		if other := n.children[k]; other != nil {
			merged.merge(other)
		}
		n.children[k] = merged
		all := join(sightings)
		card := Wildcard{Pattern: dir + "/" + k, Form: FormName, Values: len(names), Containers: all.seenIn, SavedReplicas: replicas, SavedLate: late,
			Opens: "any text in place of each *"}
		if template && max(replicas, late) == 0 {
			card.Form, card.Occurrences = FormTemplate, all.count
		}
		g.cards = append(g.cards, card)
	}
}

// splitRandom takes apart the names that are random all through: those that begin
// alike, as last8fGhK2 and lastQw31Xz do, keep their beginning.
func splitRandom(groups map[string][]string) {
	const begin = 3
	byBegin := map[string][]string{}
	for _, name := range groups["*"] {
		if len(name) > begin && !strings.Contains(name, "<") {
			byBegin[name[:begin]] = append(byBegin[name[:begin]], name)
		}
	}
	for _, names := range byBegin {
		if len(names) < least {
			continue
		}
		prefix := names[0]
		for _, name := range names {
			for !strings.HasPrefix(name, prefix) {
				prefix = prefix[:len(prefix)-1]
			}
		}
		groups["*"] = slices.DeleteFunc(groups["*"], func(name string) bool { return slices.Contains(names, name) })
		groups[prefix+"*"] = append(groups[prefix+"*"], names...)
	}
	if len(groups["*"]) == 0 {
		delete(groups, "*")
	}
}

// file takes a path into the set: as it is, or as a name with a wildcard, which was
// priced where it was made.
func (g *pathGeneraliser) file(n *pathNode, path string) {
	form := Form("")
	if strings.Contains(path, "*") {
		form = FormName
	}
	g.emit(path, join(n.own), form)
	if form == "" {
		g.found[len(g.found)-1].missed = g.trial.missed(n.own)
	} else {
		replicas, _ := g.trial.saved(n.own)
		g.found[len(g.found)-1].missed = g.trial.missed(n.own) - replicas
	}
}

func (g *pathGeneraliser) emit(path string, s sighting, form Form) {
	g.found = append(g.found, foundPath{path: path, form: form, sighting: s})
}

// below means a directory with everything in it.
func (g *pathGeneraliser) below(n *pathNode, dir string, replicas, late int) {
	all := n.all()
	s := join(all)
	g.emit(dir, s, FormBelow)
	saved, _ := g.trial.saved(all)
	g.found[len(g.found)-1].missed = g.trial.missed(all) - saved
	g.cards = slices.DeleteFunc(g.cards, func(c Wildcard) bool { return strings.HasPrefix(c.Pattern, dir+"/") })
	g.cards = append(g.cards, Wildcard{Pattern: dir, Form: FormBelow, Values: s.values, Containers: s.seenIn, SavedReplicas: saved, SavedLate: late,
		Size: max(replicas, late) == 0, Opens: fmt.Sprintf("everything below %s, at depth %d", dir, depth(dir))})
}

// bound joins paths of one directory until there are not too many, those first that
// gain most; what is guarded stays.
func (g *pathGeneraliser) bound() {
	for len(g.found) > g.opts.MaxPaths || g.count(FormName) > g.opts.MaxNames {
		byDir := map[string]int{}
		namesAlone := len(g.found) <= g.opts.MaxPaths
		for _, f := range g.found {
			if namesAlone && f.form != FormName {
				continue
			}
			for dir := parent(f.path); dir != ""; dir = parent(dir) {
				if !strings.Contains(dir, "*") && (g.opts.Guarded == nil || !g.opts.Guarded(dir)) {
					byDir[dir]++
				}
			}
		}
		best, gain := "", 1
		for dir, n := range byDir {
			// Of two that gain the same, the deeper opens less.
			if n > gain || n == gain && n > 1 && cmp.Or(cmp.Compare(depth(dir), depth(best)), cmp.Compare(best, dir)) > 0 {
				best, gain = dir, n
			}
		}
		if best == "" {
			return
		}
		n := newPathNode()
		g.found = slices.DeleteFunc(g.found, func(f foundPath) bool {
			if inside := strings.HasPrefix(f.path, best+"/") || f.path == best && f.form == FormBelow; inside {
				n.own = append(n.own, f.sighting)
				return true
			}
			return false
		})
		g.below(n, best, 0, 0)
	}
}

func (g *pathGeneraliser) count(form Form) (n int) {
	for _, f := range g.found {
		if f.form == form {
			n++
		}
	}
	return n
}

func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// finish sorts what was found into a set.
func (g *pathGeneraliser) finish() PathSet {
	var out PathSet
	slices.SortFunc(g.found, func(a, b foundPath) int { return strings.Compare(a.path, b.path) })
	for _, f := range g.found {
		out.Misses += f.missed
		if g.trial.isLate(f.sighting) {
			out.Late++
		}
		switch f.form {
		case FormBelow:
			out.Below = append(out.Below, f.path)
		case FormName:
			if len(out.Names) >= g.opts.MaxNames {
				out.Left = append(out.Left, f.path)
				continue
			}
			out.Names = append(out.Names, f.path)
		default:
			out.Exact = append(out.Exact, f.path)
		}
		out.Seen = append(out.Seen, f.seenIn)
	}
	for _, c := range g.cards {
		if !slices.Contains(out.Left, c.Pattern) {
			out.Wildcards = append(out.Wildcards, c)
		}
	}
	slices.SortFunc(out.Wildcards, func(a, b Wildcard) int { return strings.Compare(a.Pattern, b.Pattern) })
	return out
}

// shape writes the numbers of a name, its templates and its random parts as *.
func shape(name string) string {
	var b strings.Builder
	star := func() {
		if s := b.String(); s == "" || s[len(s)-1] != '*' {
			b.WriteByte('*')
		}
	}
	for i := 0; i < len(name); {
		switch c := name[i]; {
		case c == '<' && strings.IndexByte(name[i:], '>') > 0:
			i += strings.IndexByte(name[i:], '>') + 1
			star()
		case alnum(c):
			to := i
			for to < len(name) && alnum(name[to]) {
				to++
			}
			if part := name[i:to]; len(part) >= 6 && random(part) {
				star()
			} else {
				for _, c := range []byte(part) {
					if digit(c) {
						star()
					} else {
						b.WriteByte(c)
					}
				}
			}
			i = to
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// ends writes what stands behind the first separator of a name as *, up to its
// extension where it has one; "" for names without a beginning.
func ends(name string) string {
	if strings.ContainsAny(name, "*<") {
		return ""
	}
	from := strings.IndexAny(name, "-_.") + 1
	if from < 3 {
		return ""
	}
	if to := strings.LastIndexByte(name, '.'); to >= from {
		return name[:from] + "*" + name[to:]
	}
	return name[:from] + "*"
}
