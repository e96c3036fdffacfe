package shard

import (
	"fmt"
	"strconv"
	"strings"
)

// Spec is which part of the work a process does: part Index of Count, counted from
// 0 as Slurm's array tasks and Kubernetes' indexed jobs are. The zero value is no
// parting at all.
type Spec struct{ Index, Count int }

// maxCount bounds the parts of one work.
const maxCount = 100_000

// Parse reads "3/16": the fourth part of sixteen.
func Parse(text string) (Spec, error) {
	index, count, ok := strings.Cut(text, "/")
	i, errIndex := strconv.Atoi(index)
	n, errCount := strconv.Atoi(count)
	if !ok || errIndex != nil || errCount != nil || n < 1 || n > maxCount || i < 0 || i >= n {
		return Spec{}, fmt.Errorf("shard %.40q: want I/N with N from 1 to %d and I from 0 to N-1", text, maxCount)
	}
	return Spec{i, n}, nil
}

func (s Spec) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Count) }

// Has reports whether a unit is this part's own. ordinal is its place, from 0,
// among all units in an order that does not depend on the part: every unit is one
// part's, and no part has two more than another.
func (s Spec) Has(ordinal int) bool { return s.Count < 2 || ordinal%s.Count == s.Index }

// Name is what the names of the part's files begin with.
func (s Spec) Name() string { return fmt.Sprintf("shard-%05d-of-%05d", s.Index, s.Count) }
