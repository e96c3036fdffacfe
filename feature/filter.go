package feature

import (
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
)

// Filter yields the windows for which keep, asked once of each, is true, in the order
// they come; a record of which all are stays as it is. A record is valid until the next
// one is asked for, as in every such sequence; Retain it to keep it. keep must not hold
// on to the window.
func Filter(windows iter.Seq2[arrow.Record, error], keep func(w *Window) bool) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		b := NewBuilder()
		defer b.Release()
		var w Window
		for rec, err := range windows {
			whole := false
			if err == nil {
				whole, err = filter(rec, b, &w, keep)
			}
			switch {
			case err != nil:
				yield(nil, err)
				return
			case whole && rec.NumRows() > 0:
				if !yield(rec, nil) {
					return
				}
			case b.Len() > 0:
				kept := b.Record()
				goOn := yield(kept, nil)
				kept.Release()
				if !goOn {
					return
				}
			}
		}
	}
}

// filter takes to b what keep is true for, unless that is the whole record.
func filter(rec arrow.Record, b *Builder, w *Window, keep func(*Window) bool) (whole bool, err error) {
	view, err := View(rec)
	if err != nil {
		return false, err
	}
	whole = true
	for i := range view.Len() {
		view.At(i, w)
		switch kept := keep(w); {
		case whole && !kept:
			whole = false
			for before := range i {
				view.At(before, w)
				b.Append(w)
			}
		case kept && !whole:
			b.Append(w)
		}
	}
	return whole, nil
}
