package record

import "time"

// quiet is the reader's rest while little or nothing is recorded. Where epochs bring
// few bytes they become longer: a container that wakes ten times a second does not
// wake the reader as often. After some time in which the kernel side did not stir the
// reader asks to be woken, and one epoch later, if that stayed so, it sleeps for up to
// a second at a time, without counting epochs or looking for idle threads: all of
// those have been flushed by then.
type quiet struct {
	few    int    // epochs that brought few bytes
	calmNS int64  // since something stirred
	asked  bool   // to be woken
	asleep bool   // sleeping for long; the kernel side wakes
	read   uint64 // bytes, before this epoch
}

const (
	// calmNS is long enough for what comes late: an idle thread's calls, by the next
	// look at them, and the end of a spell of throttling.
	calmNS = 3 * int64(time.Second)

	fewBytes   = 16 << 10 // of an epoch
	fewEpochs  = 10       // of them, before epochs become longer
	longEpochs = 5        // times the usual length
)

// brought takes in how many bytes were ever read when an epoch ends.
func (q *quiet) brought(read uint64) {
	few := uint64(fewBytes)
	if q.long() {
		few *= longEpochs
	}
	if q.few++; read-q.read > few {
		q.few = 0
	}
	q.read = read
}

func (q *quiet) long() bool { return q.few >= fewEpochs }

// epochNS is how long this epoch is to be.
func (r *recorder) epochNS() int64 {
	length := r.opts.BPF.Epoch.Nanoseconds()
	if r.quiet.long() {
		length *= longEpochs
	}
	return length
}

// tick ends an epoch, unless the reader is asleep and nothing has stirred.
func (r *recorder) tick(bootNS int64) error {
	stirred, err := r.probes.Stirred()
	if err != nil {
		return err
	}
	q := &r.quiet
	length := r.epochNS()
	q.brought(r.read64())
	if stirred {
		q.calmNS, q.asked, q.asleep = 0, false, false
	}
	switch {
	case q.asleep:
		return nil
	case q.asked:
		q.asleep = true
		return nil
	case q.calmNS >= calmNS:
		if err := r.probes.Quiet(); err != nil {
			return err
		}
		q.asked = true
	}
	q.calmNS += length
	return r.epoch(bootNS)
}

// wait sleeps until the next epoch or second, or until the kernel side wakes.
func (r *recorder) wait(bootNS, secondBootNS int64) error {
	until := secondBootNS
	if !r.quiet.asleep {
		until = min(until, r.lastEpoch+r.epochNS())
	}
	return r.poller.wait(time.Duration(until - bootNS))
}
