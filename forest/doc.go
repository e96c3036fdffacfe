// Package forest owns two ensembles of trees over float32 columns: the
// isolation forest (how strange is a row among unlabelled rows) and the random
// forest (the probability that a row belongs to class 1). It is pure
// computation: no files, no clocks, no state that changes.
//
// Rows come in as columns: x is n features, each of length m, as Arrow holds
// float32 columns, without a copy into rows. Scores go out into a slice of the
// caller.
//
//	f, err := forest.FitIsolation(x, forest.DefaultIsolationOptions())
//	out := make([]float32, len(x[0]))
//	err = f.Score(x, out, 0) // higher is stranger
//
// # Values
//
// A split sends a row left when its value is at most the threshold. NaN means
// missing, and each split has a direction for it:
//
//   - Isolation forest: where missing values reached the split in training, a
//     fair coin; else the side that more training rows took (left on a tie).
//     Missing counts as a value of its own, so a column in which some rows are
//     missing and the others equal can still be split.
//   - Random forest: where missing values reached the split in training, the
//     side with the lower impurity; else the side that more training rows took
//     (left on a tie).
//
// Plus and minus infinity count as the largest and the smallest finite
// float32, in training and in scoring.
//
// # Chance
//
// All chance comes from the seed in the options; each tree has its own stream,
// made from the seed and the tree's number. The same input, options and seed
// give the same model bytes at any number of threads, and a row's score does
// not depend on the rows beside it or on the number of threads.
//
// # Model and plan
//
// A fitted or decoded forest holds its trees twice: as the model, preorder
// nodes that are what FORMAT.md describes, and as the plan that scoring
// executes. Only the model is written; the plan can change without the file.
//
// A plan knows a value by its rank among the thresholds of its column only. That is
// exact: nothing but comparisons with them decides a row's way. A column that has
// more than 255 thresholds has them in several groups of trees. Blocks of 512 rows
// are scored at a time, one bit per row and split, without branches and without
// gathers; see the type plan. Big trees, those of random forests of full depth, are
// walked down by ranks, eight rows side by side; see the types narrow and, where those are
// too large for it, deep. The memory of scoring is a few blocks' masks and ranks per
// thread, 1 MB for an isolation forest and 3 MB for a random forest of 100 deep trees over 64
// columns, at any number of rows.
//
// # Processors
//
// The arithmetic of a block is a kernel: in Go for every processor, and in assembly
// for AVX-512 (F, BW, DQ, VL) and AVX2 (both with BMI1 and BMI2), chosen when the program starts. Sums over
// trees are sums of whole numbers, so that all kernels give the same bits, with
// any number of threads and rows. On one machine with AVX-512, at one time,
// isolation forests of 100 trees scored 1.6 million rows/s in Go, 7.2 with AVX2,
// 15 with AVX-512; BENCHMARKS.md has them beside scikit-learn.
//
// The assembly is written by avo (internal/asm). Go's simd/archsimd would read better,
// but wants GOEXPERIMENT=simd: a plain go build would be without the fast paths.
package forest
