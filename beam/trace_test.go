package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/object"
)

func TestObjectHost(t *testing.T) {
	for _, c := range []struct {
		name, host string
		bad        bool
	}{
		{"events/host=a/date=2026-01-02/x.parquet", "a", false},
		{"losses/host=b/x.parquet", "b", false},
		{"events/host=a/.x.parquet", "", false},
		{"journal/host=a/journal-1", "", false},
		{"quarantine/x.parquet", "", false},
		{"events/x.parquet", "", true},
		{"x.parquet", "", true},
	} {
		host, ok, err := objectHost(object.Info{Name: c.name, URL: "s3://b/" + c.name})
		if host != c.host || ok != (c.host != "") || (err != nil) != c.bad {
			t.Errorf("%s: %q, %v, %v", c.name, host, ok, err)
		}
	}
}

// TestUnitsAtATime wants no more units at work than there are processors, however many
// an engine gives.
func TestUnitsAtATime(t *testing.T) {
	var busy, most atomic.Int32
	var all sync.WaitGroup
	for range 8 * cap(working) {
		all.Go(func() {
			err := (&unit{Host: "h"}).withTraces(t.Context(), false, func(hostTraces) error {
				n := busy.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(5 * time.Millisecond) // for others to come in
				busy.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := int(most.Load()); n > cap(working) {
		t.Errorf("%d units at a time, want at most %d", n, cap(working))
	}
	ended, end := context.WithCancel(t.Context())
	end()
	for range cap(working) {
		working <- struct{}{}
	}
	if err := (&unit{}).withTraces(ended, false, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("all at work and the job over: got error %v", err)
	}
	for range cap(working) {
		<-working
	}
}
