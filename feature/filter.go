package feature

import (
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
)

// Filter yields the windows for which keep is true, in the order they come. A
// record is valid until the next one is asked for, as in every such sequence;
// Retain it to keep it. keep must not hold on to the window.
func Filter(windows iter.Seq2[arrow.Record, error], keep func(w *Window) bool) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		b := NewBuilder()
		defer b.Release()
		var w Window
		for rec, err := range windows {
			if err == nil {
				err = filter(rec, b, &w, keep)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if b.Len() == 0 {
				continue
			}
			kept := b.Record()
			goOn := yield(kept, nil)
			kept.Release()
			if !goOn {
				return
			}
		}
	}
}

func filter(rec arrow.Record, b *Builder, w *Window, keep func(*Window) bool) error {
	view, err := View(rec)
	if err != nil {
		return err
	}
	for i := range view.Len() {
		if view.At(i, w); keep(w) {
			b.Append(w)
		}
	}
	return nil
}
