package onnx

import "testing"

func TestTooLarge(t *testing.T) {
	if err := tooLarge(1 << 30); err == nil {
		t.Error("2^30 nodes: got no error")
	}
	if err := tooLarge(1 << 20); err != nil {
		t.Errorf("2^20 nodes: got error %v", err)
	}
}
