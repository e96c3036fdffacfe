// Package feature owns the window, one row per container and span of time, and
// what is learned of windows.
//
// Trace rows come in through a Windower, which deals them out to tumbling
// event-time windows. A Window holds observations that need no learning: counts,
// system calls, trigrams of calls, items seen. Windows travel as Arrow records of
// Schema and rest in a FEATURES file (FORMAT.md, beside this file). What needs
// learning (novelty, deviations, scales) is a Space, learned from training
// windows only, whose Encoder turns windows into the float32 columns that a
// forest reads. So FEATURES is made once and no split of it leaks:
//
//	space, err := feature.Learn(ctx, training, feature.DefaultLearnOptions)
//	enc := space.NewEncoder()
//	columns, err := enc.Encode(record)
package feature
