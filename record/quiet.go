package record

import "time"

// quiet is the reader's rest while nothing is recorded. After some epochs in
// which the kernel side did not stir it asks to be woken, and one epoch later, if
// that stayed so, it sleeps for up to a second at a time, without counting epochs
// or looking for idle threads: all of those have been flushed by then.
type quiet struct {
	calm   int  // epochs in which nothing stirred
	asleep bool // sleeping for long; the kernel side wakes
}

// calmEpochs is long enough for what comes late: an idle thread's calls, by the
// next look at them, and the end of a spell of throttling.
const calmEpochs = 30

// tick ends an epoch, unless the reader is asleep and nothing has stirred.
func (r *recorder) tick(bootNS int64) error {
	stirred, err := r.probes.Stirred()
	if err != nil {
		return err
	}
	if stirred {
		r.quiet = quiet{}
	}
	if r.quiet.asleep {
		return nil
	}
	switch r.quiet.calm++; r.quiet.calm {
	case calmEpochs:
		if err := r.probes.Quiet(); err != nil {
			return err
		}
	case calmEpochs + 1:
		r.quiet.asleep = true
		return nil
	}
	return r.epoch(bootNS)
}

// wait sleeps until the next epoch or second, or until the kernel side wakes.
func (r *recorder) wait(bootNS, secondBootNS int64) error {
	until := secondBootNS
	if !r.quiet.asleep {
		until = min(until, r.lastEpoch+r.opts.BPF.Epoch.Nanoseconds())
	}
	return r.poller.wait(time.Duration(until - bootNS))
}
