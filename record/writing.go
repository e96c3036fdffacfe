package record

import (
	"log/slog"
	"time"

	"mayfly/trace"
)

// openTrace takes the trace directory, and tells what a recorder left there that
// was killed.
func (r *recorder) openTrace() error {
	w, left, err := trace.OpenRecording(r.opts.Dir, r.meta(), trace.RecordingOptions{
		Writer: trace.DefaultWriterOptions(), RetainBytes: r.opts.RetainBytes, RetainAge: r.opts.RetainAge})
	if err != nil {
		return err
	}
	r.writer = w
	if left.FromNS != 0 {
		rows := int64(0)
		for _, n := range left.Rows {
			rows += n
		}
		r.opts.Log.Warn("the recorder before did not stop in good order", "salvaged_rows", rows,
			"quarantined", left.Quarantined, "rows_may_be_missing_from", time.Unix(0, left.FromNS).UTC())
	}
	return nil
}

// batches in flight: one filled, one written, two between.
const batches = 4

// startWriter starts the goroutine that writes batches; done is closed when it
// has written the last one. A disk that fails does not end the recording: the
// trace counts what it could not write.
func (r *recorder) startWriter() (done chan struct{}) {
	r.queue, r.free = make(chan *batch, batches), make(chan *batch, batches)
	done = make(chan struct{})
	for range batches - 1 {
		r.free <- &batch{}
	}
	go func() {
		defer close(done)
		log := diskLog{log: r.opts.Log}
		for b := range r.queue {
			r.redacted.Add(b.hideSecrets(r.opts.Redact))
			log.say(b.write(r.writer), time.Now())
			r.acknowledged.Store(r.writer.AcknowledgedNS())
			r.unwritten.Store(new(r.writer.Lost()))
			b.reset()
			r.free <- b
		}
	}()
	return done
}

// diskLog tells of a disk that fails once a minute, and when it is back.
type diskLog struct {
	log  *slog.Logger
	told time.Time // zero: the disk is well
	good int       // batches since the last error
}

// diskLogEvery is how long the log keeps still about a disk that goes on failing.
const diskLogEvery = time.Minute

func (l *diskLog) say(err error, now time.Time) {
	switch {
	case err != nil && now.Sub(l.told) >= diskLogEvery:
		l.log.Error("write trace: rows wait in memory or are counted as lost", "error", err)
		l.told, l.good = now, 0
	case err != nil:
		l.good = 0
	case !l.told.IsZero():
		if l.good++; l.good > batches {
			l.log.Info("write trace: the disk answers again")
			l.told = time.Time{}
		}
	}
}
