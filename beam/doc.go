// golearn draws from math/rand's own source, which can be seeded only so (package
// reference).
//go:debug randseednop=0

// Command mayfly-beam runs ingest, train and replay of mayfly as pipelines of Apache
// Beam: on Flink, Spark or Dataflow, and on Beam's own Prism for trying out. What
// comes out is the same, to the byte, as what mayfly makes on one machine. It is a
// module of its own, for Beam weighs more than the rest of mayfly.
//
// A pipeline is Create (the units of work) → Reshuffle → partial, on any machine →
// GroupByKey or Combine (merge) → finish, on one. The functions are those of the
// packages ingest, train and replay. A unit is all files of one host, or a row group
// of a FEATURES file. No row and no window passes through the engine: a partial
// leaves its windows or findings as a file in a folder that all workers reach, and
// hands on the file's name with a small state. See docs/beam.md.
package main
