// Package reference fits forests of other libraries, which ours are compared
// against, and turns their trees into ours, so that what they learned is kept,
// scored and explained like any other forest.
//
// It knows golearn (github.com/sjwhitworth/golearn), the library that a Go program
// would take instead: slow, and without a way to save an isolation forest.
package reference

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand"
	"reflect"
	"slices"
	"strconv"
	"sync"

	"mayfly/forest"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/trees"
)

// golearnChance is held while golearn draws from the process's one source of
// chance, which another fit would disturb.
var golearnChance sync.Mutex

// Golearn grows golearn's isolation forest from x, n columns of length m, and
// returns its trees as a forest of ours; NEstimators, MaxSamples and Seed count.
//
// What differs from forest.FitIsolation: trees grow from rows drawn with
// replacement; a threshold that falls on the least or the greatest value is moved by
// 1e-6, and a side that stays empty then is left out here; missing values are taken
// for the median of their column, for golearn cannot have any, and when scoring go
// where more training rows went. What differs from golearn: a leaf of two rows adds
// c(2) = 1 to a path, as in the paper, and not 0.15; see TestGolearnScores.
//
// The forest depends on the seed only in a program that sets the Go debug setting
// randseednop=0, as mayfly does; in others each fit gives another one. It takes
// 16 bytes per value of x. A panic in golearn comes back as an error.
func Golearn(x [][]float32, opts forest.IsolationOptions) (f *forest.Isolation, err error) {
	of, psi, err := golearnFit(x, opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil { // its fields are read by reflection
			err = fmt.Errorf("golearn: another version than expected: %v", p)
		}
	}()
	grown := reflect.ValueOf(of).Elem().FieldByName("trees")
	all := make([][]forest.Node, grown.Len())
	for i := range all {
		all[i] = appendGolearn(nil, grown.Index(i), psi)
	}
	return forest.NewIsolation(len(x), psi, all)
}

// golearnFit fits golearn's forest itself.
func golearnFit(x [][]float32, opts forest.IsolationOptions) (of *trees.IsolationForest, psi int, err error) {
	switch {
	case len(x) == 0 || len(x[0]) == 0:
		return nil, 0, errors.New("golearn: columns: want at least one column and one row")
	case opts.NEstimators < 1 || opts.MaxSamples < 1:
		return nil, 0, fmt.Errorf("golearn: want at least one tree and one row per tree, got %d and %d", opts.NEstimators, opts.MaxSamples)
	}
	table, err := golearnTable(x)
	if err != nil {
		return nil, 0, err
	}
	psi = min(opts.MaxSamples, len(x[0]))
	golearnChance.Lock()
	defer golearnChance.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("golearn: %v", p)
		}
	}()
	rand.Seed(int64(opts.Seed)) //nolint:staticcheck // golearn draws from the process's source and from no other
	grown := trees.NewIsolationForest(opts.NEstimators, bits.Len(uint(psi-1)), psi)
	grown.Fit(table)
	return &grown, psi, nil
}

// golearnTable copies columns into golearn's form. Its isolation forest takes the
// class for a feature more: here that is a constant, on which nothing is split.
func golearnTable(x [][]float32) (_ base.FixedDataGrid, err error) {
	table := base.NewDenseInstances()
	specs := make([]base.AttributeSpec, len(x)+1)
	for f := range specs {
		specs[f] = table.AddAttribute(base.NewFloatAttribute(strconv.Itoa(f)))
	}
	if err := table.AddClassAttribute(specs[len(x)].GetAttribute()); err != nil {
		return nil, fmt.Errorf("golearn: %w", err)
	}
	rows := len(x[0])
	if err := table.Extend(rows); err != nil {
		return nil, fmt.Errorf("golearn: %w", err)
	}
	for f, column := range x {
		if len(column) != rows {
			return nil, fmt.Errorf("golearn: column %d: want %d rows as in column 0, got %d", f, rows, len(column))
		}
		middle := median(column)
		for i, v := range column {
			if v != v {
				v = middle
			}
			table.Set(specs[f], i, base.PackFloatToBytes(float64(clamp(v))))
		}
	}
	for i := range rows {
		table.Set(specs[len(x)], i, base.PackFloatToBytes(0))
	}
	return table, nil
}

func clamp(v float32) float32 { return max(min(v, math.MaxFloat32), -math.MaxFloat32) }

// median is that of the values that are not missing, 0 when all are.
func median(column []float32) float32 {
	values := slices.DeleteFunc(slices.Clone(column), func(v float32) bool { return v != v })
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return clamp(values[len(values)/2])
}

// appendGolearn appends the subtree of a golearn node, in preorder, of so many rows.
func appendGolearn(to []forest.Node, n reflect.Value, rows int) []forest.Node {
	side := func(child, count string) (reflect.Value, int) {
		return n.FieldByName(child), int(n.FieldByName(count).Float())
	}
	left, nLeft := side("Left", "LeftPred")
	right, nRight := side("Right", "RightPred")
	add := func(child reflect.Value, count int) {
		if child.IsNil() {
			to = append(to, forest.Node{Leaf: true, Cover: float32(count)})
			return
		}
		to = appendGolearn(to, child.Elem(), count)
	}
	switch {
	case nLeft+nRight == 0: // the root of rows that are all the same
		return append(to, forest.Node{Leaf: true, Cover: float32(rows)})
	case nLeft == 0:
		add(right, nRight)
		return to
	case nRight == 0:
		add(left, nLeft)
		return to
	}
	to = append(to, forest.Node{
		Feature: int(n.FieldByName("Feature").Int()), Threshold: below(n.FieldByName("Threshold").Float()),
		MissingLeft: nLeft >= nRight,
	})
	add(left, nLeft)
	add(right, nRight)
	return to
}

// below is the greatest float32 that is at most v: the same float32 values are at
// most the one and the other.
func below(v float64) float32 {
	t := clamp(float32(v))
	if float64(t) > v {
		t = math.Nextafter32(t, -math.MaxFloat32)
	}
	return t
}
