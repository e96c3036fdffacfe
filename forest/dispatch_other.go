//go:build !amd64

package forest

// kernels are those that this machine can run, the fastest first.
var kernels = []*kernel{&portable}
