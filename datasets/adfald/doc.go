// Package adfald reads the dataset ADFA-LD: the system calls of processes of a
// Linux server, one trace per process, in order and without times.
//
//	set, err := adfald.Open("adfa-ld/adfa-ld.tar.xz")
//	unique := adfald.Unique(set.Part(adfald.Training))
//	for rec, err := range adfald.Records(ctx, unique) { … } // feature.Schema
package adfald
