package rule

import "runtime"

// Options of Build.
type Options struct {
	Force      bool    // make rules of a workload that would be refused, and write the risk into them
	Audit      bool    // make rules that only watch of a workload that would be refused
	MinWindows int64   // fewer windows than this are too little; default 10
	MaxUnseen  float64 // the largest share of what one more container does that may be new, of each rule, in (0,1]; default 0.05
	Machine    string  // as GOARCH names it; for profiles that do not know theirs
	MaxPaths   int     // paths that a write rule lists before it means directories; default 48
	MaxPeers   int     // addresses of one port before every address of that port is allowed; default 16
	MaxFound   int     // items of findings in one rule; default 64
}

// DefaultOptions are the options where none is said.
var DefaultOptions = Options{MinWindows: 10, MaxUnseen: 0.05, Machine: runtime.GOARCH, MaxPaths: 48, MaxPeers: 16, MaxFound: 64}

// withDefaults fills in what is 0.
func (o Options) withDefaults() Options {
	if o.MinWindows == 0 {
		o.MinWindows = DefaultOptions.MinWindows
	}
	if o.Machine == "" {
		o.Machine = DefaultOptions.Machine
	}
	if o.MaxUnseen <= 0 {
		o.MaxUnseen = DefaultOptions.MaxUnseen
	}
	if o.MaxPaths <= 0 {
		o.MaxPaths = DefaultOptions.MaxPaths
	}
	if o.MaxPeers <= 0 {
		o.MaxPeers = DefaultOptions.MaxPeers
	}
	if o.MaxFound <= 0 {
		o.MaxFound = DefaultOptions.MaxFound
	}
	return o
}
