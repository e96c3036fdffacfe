package rule

import "runtime"

// Options of Build.
type Options struct {
	Force      bool   // make rules of a workload that would be refused, and write the risk into them
	MinWindows int64  // fewer windows than this are too little; default 10
	Machine    string // as GOARCH names it; for profiles that do not know theirs
	MaxDirs    int    // directories that a write rule lists before it joins neighbours; default 24
	MaxPeers   int    // addresses of one port before every address of that port is allowed; default 16
	MaxFound   int    // items of findings in one rule; default 64
}

// DefaultOptions are the options where none is said.
var DefaultOptions = Options{MinWindows: 10, Machine: runtime.GOARCH, MaxDirs: 24, MaxPeers: 16, MaxFound: 64}

// withDefaults fills in what is 0.
func (o Options) withDefaults() Options {
	if o.MinWindows == 0 {
		o.MinWindows = DefaultOptions.MinWindows
	}
	if o.Machine == "" {
		o.Machine = DefaultOptions.Machine
	}
	if o.MaxDirs <= 0 {
		o.MaxDirs = DefaultOptions.MaxDirs
	}
	if o.MaxPeers <= 0 {
		o.MaxPeers = DefaultOptions.MaxPeers
	}
	if o.MaxFound <= 0 {
		o.MaxFound = DefaultOptions.MaxFound
	}
	return o
}
