package falco

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// graph holds the conditions of all rules as one graph in which equal parts are
// one node, so that they are worked out once for an event. Nodes are added and
// never changed.
type graph struct {
	nodes []node
	index map[string]nodeID
	atoms []*atom
	known map[string]*atom
}

type nodeID int32

// The first nodes are the constants, in the order of truth.
const firstFree = nodeID(unknown) + 1

type node struct {
	op   op
	kids []nodeID
	atom *atom
	cost int
}

func newGraph() *graph {
	g := &graph{index: map[string]nodeID{}, known: map[string]*atom{}}
	g.nodes = make([]node, firstFree)
	return g
}

func (g *graph) intern(n node) nodeID {
	key := []byte{byte(n.op)}
	if n.atom != nil {
		key = binary.AppendVarint(key, int64(n.atom.id))
	}
	for _, kid := range n.kids {
		key = binary.AppendVarint(key, int64(kid))
	}
	if id, ok := g.index[string(key)]; ok {
		return id
	}
	id := nodeID(len(g.nodes))
	g.nodes = append(g.nodes, n)
	g.index[string(key)] = id
	return id
}

func (g *graph) leaf(a *atom) nodeID {
	if a.constant {
		return nodeID(a.value)
	}
	return g.intern(node{op: opCheck, atom: a, cost: a.cost})
}

func (g *graph) not(kid nodeID) nodeID {
	if kid < firstFree {
		return nodeID(truth(kid).not())
	}
	if g.nodes[kid].op == opNot {
		return g.nodes[kid].kids[0]
	}
	return g.intern(node{op: opNot, kids: []nodeID{kid}, cost: g.nodes[kid].cost})
}

// join makes an and or an or: constants are worked out, ors in ors become one, and
// what is cheap comes first.
func (g *graph) join(op op, kids []nodeID) nodeID {
	end, neutral := nodeID(no), nodeID(yes)
	if op == opOr {
		end, neutral = neutral, end
	}
	var flat []nodeID
	for _, kid := range kids {
		switch {
		case kid == end:
			return end
		case kid == neutral:
		case kid >= firstFree && g.nodes[kid].op == op:
			flat = append(flat, g.nodes[kid].kids...)
		default:
			flat = append(flat, kid)
		}
	}
	slices.SortFunc(flat, func(a, b nodeID) int {
		return cmp.Or(cmp.Compare(g.nodes[a].cost, g.nodes[b].cost), cmp.Compare(a, b))
	})
	flat = slices.Compact(flat)
	switch len(flat) {
	case 0:
		return neutral
	case 1:
		return flat[0]
	}
	cost := 1
	for _, kid := range flat {
		cost += g.nodes[kid].cost
	}
	return g.intern(node{op: op, kids: flat, cost: min(cost, 1<<20)})
}

// fold is a node in which some comparisons are decided: decide returns what one
// becomes.
func (g *graph) fold(id nodeID, decide func(*atom) (truth, bool), seen map[nodeID]nodeID) nodeID {
	if id < firstFree {
		return id
	}
	if to, ok := seen[id]; ok {
		return to
	}
	n := g.nodes[id]
	to := id
	switch n.op {
	case opCheck:
		if t, ok := decide(n.atom); ok {
			to = nodeID(t)
		}
	case opNot:
		to = g.not(g.fold(n.kids[0], decide, seen))
	default:
		kids := make([]nodeID, len(n.kids))
		for i, kid := range n.kids {
			kids[i] = g.fold(kid, decide, seen)
		}
		to = g.join(n.op, kids)
	}
	seen[id] = to
	return to
}

// can says which truths a node can have, as bits: 1<<no, 1<<yes, 1<<unknown. It
// takes its comparisons for independent of one another.
func (g *graph) can(id nodeID, seen map[nodeID]uint8) uint8 {
	if id < firstFree {
		return 1 << id
	}
	if bits, ok := seen[id]; ok {
		return bits
	}
	n := &g.nodes[id]
	var bits uint8
	switch n.op {
	case opCheck:
		bits = 1<<no | 1<<yes
		if n.atom.missing != "" {
			bits = 1 << unknown
		}
	case opNot:
		for _, t := range []truth{no, yes, unknown} {
			if g.can(n.kids[0], seen)>>t&1 == 1 {
				bits |= 1 << t.not()
			}
		}
	default:
		end, neutral := no, yes
		if n.op == opOr {
			end, neutral = yes, no
		}
		bits = 1 << neutral
		for _, kid := range n.kids {
			of := g.can(kid, seen)
			if of == 1<<end {
				bits = of
				break
			}
			if of>>neutral&1 == 0 {
				bits &^= 1 << neutral
			}
			bits |= of & (1<<end | 1<<unknown)
		}
	}
	seen[id] = bits
	return bits
}

// leaves calls visit for each comparison below a node, once.
func (g *graph) leaves(id nodeID, seen map[nodeID]bool, visit func(*atom)) {
	if id < firstFree || seen[id] {
		return
	}
	seen[id] = true
	if a := g.nodes[id].atom; a != nil {
		visit(a)
	}
	for _, kid := range g.nodes[id].kids {
		g.leaves(kid, seen, visit)
	}
}
