// Package shard parts one command into several processes, on one machine or on
// many, and proves at the end that all of them are there.
//
// A stage (ingest, train, replay) is three pure functions of its own room: partial,
// of one unit of work, gives a state; merge, associative and commutative, joins
// states; finish makes the bytes. A unit is never parted: for ingest and replay it
// is all files of one host, for train a row group of a FEATURES file. A Spec says
// which units are a process's own, a Member what it made of them and from what, and
// Open refuses a folder unless each of its members is there once and all say the
// same of the work as a whole.
//
//	spec, err := shard.Parse("3/16")
//	if spec.Has(ordinal) { … }             // of the unit, in an order that all agree on
//	err = member.Write(dir)                // last of all: the shard is done
//	members, err := shard.Open(dir)         // all 16, checked
package shard
