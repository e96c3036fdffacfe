package feature

import (
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
)

// Each yields the windows of records one by one, and ends after an error. A window
// is overwritten by the next one, and its texts and lists are the record's: who
// keeps any of them clones it.
func Each(records iter.Seq2[arrow.Record, error]) iter.Seq2[*Window, error] {
	return func(yield func(*Window, error) bool) {
		var w Window
		for rec, err := range records {
			var v *Windows
			if err == nil {
				v, err = View(rec)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range v.Len() {
				if v.At(i, &w); !yield(&w, nil) {
					return
				}
			}
		}
	}
}
