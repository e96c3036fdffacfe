package bpf

import (
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	start := time.Now()
	p, err := Load(DefaultOptions())
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Log("load", time.Since(start))
	start = time.Now()
	if err := p.Attach(); err != nil {
		t.Fatal(err)
	}
	t.Log("attach", time.Since(start))
	start = time.Now()
	p.Close()
	t.Log("close", time.Since(start))
}
