package main

import (
	"runtime/debug"
	"testing"
)

func TestTrainBoundsItsGarbageUnlessTold(t *testing.T) {
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	for set, want := range map[string]int{"77": 77, "": 30} {
		t.Setenv("GOGC", set)
		boundTrainMemory()
		if got := debug.SetGCPercent(77); got != want {
			t.Errorf("GOGC=%q: garbage of %d %%, want %d", set, got, want)
		}
	}
}
