//go:build !amd64

package forest

// native is the fastest kernel of this machine.
var native = &portable

// kernels are those that this machine can run.
func kernels() []*kernel { return []*kernel{&portable} }
