package main

import (
	"bytes"
	"context"
	"testing"
)

// Where nobody reads as it is written, nothing of a bar is written.
func TestProgressIsSilentOffTerminals(t *testing.T) {
	var b bytes.Buffer
	ctx := context.Background()
	got, done := withProgress(ctx, &b, "test", 100, 1)
	done()
	if got != ctx || b.Len() != 0 {
		t.Errorf("wrote %q", b.String())
	}
}
