package record

import (
	"context"
	"errors"
	"time"

	"mayfly/bpf"
	"mayfly/trace"
)

// How often things are done beside reading.
const secondNS = int64(time.Second)

// loop reads until ctx ends or something fails.
func (r *recorder) loop(ctx context.Context) error {
	now := bootNow()
	second := now + secondNS
	for ctx.Err() == nil {
		if err := r.wait(now, second); err != nil {
			return err
		}
		now = bootNow()
		if now-r.lastEpoch >= r.epochNS() {
			r.learn() // often: Docker drops events of a reader that is slow to take them
			if err := r.tick(now); err != nil {
				return err
			}
		}
		if r.paused == nil || !r.paused() {
			r.read()
		}
		if now >= second {
			second = now + secondNS
			if err := r.everySecond(now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *recorder) epoch(now int64) error {
	r.lastEpoch = now
	return r.probes.NextEpoch(uint64(now), time.Duration(r.epochNS()))
}

// read empties the rings once. Events first: they are few, and a container's
// first one tells of it.
func (r *recorder) read() {
	from := r.read64()
	drainBoth(r.events, r.secure, olderEvent, r.event)
	r.calls.drain(r.sequence)
	r.bytes += r.read64() - from
}

// read64 is how many bytes were ever read.
func (r *recorder) read64() uint64 { return r.events.pos + r.secure.pos + r.calls.pos }

// olderEvent compares the times of two event records.
func olderEvent(a, b []byte) bool { return eventTime(a) <= eventTime(b) }

func (r *recorder) event(record []byte) {
	if err := r.raw.decode(record); err != nil {
		if len(record) >= eventHead {
			r.ledger.of(r.raw.Cgroup, uint32(r.raw.Class)).bad++
		}
		r.opts.Log.Error("event", "error", err)
		return
	}
	r.ledger.of(r.raw.Cgroup, uint32(r.raw.Class)).read++
	r.batch.events = append(r.batch.events, trace.Event{})
	r.convert.event(&r.raw, &r.batch.events[len(r.batch.events)-1])
	if r.gate != nil {
		r.gateEvent(r.convert.containers.of(r.raw.Cgroup), int(r.raw.Class))
	}
	if r.batch.full() {
		r.hand()
	}
}

func (r *recorder) sequence(record []byte) {
	s := &r.rawCalls
	if err := s.decode(record); err != nil {
		if len(record) >= sequenceHead {
			r.ledger.of(s.Cgroup, bpf.ClassSequences).bad++
		}
		r.opts.Log.Error("sequence", "error", err)
		return
	}
	r.ledger.of(s.Cgroup, bpf.ClassSequences).read++
	row := trace.Sequence{
		TimeNS: r.clock.wall(int64(s.Time)), BootNS: int64(s.Time), SpanNS: max(0, int64(s.End-s.Time)),
		CgroupID: s.Cgroup, PID: int32(s.Pid), TID: int32(s.Tid), StartNS: int64(s.Start),
		Comm: r.convert.texts.of(cstring(s.Comm[:])), Chunk: int64(s.Chunk), Calls: r.batch.addCalls(s.calls),
		CPU: r.convert.numbers.of(int64(s.Cpu)), Seq: r.convert.numbers.of(int64(s.Number)),
	}
	c := r.convert.containers.of(s.Cgroup)
	if c != nil {
		row.ContainerID = c.id
	}
	r.batch.sequences = append(r.batch.sequences, row)
	r.gateSequence(c, int64(s.End))
	if r.batch.full() {
		r.hand()
	}
}

// everySecond does what is done now and then: calls of threads that sleep,
// facts of containers, full files.
func (r *recorder) everySecond(bootNS int64) error {
	if r.opts.Watch != nil {
		r.opts.Watch(r.status())
	}
	wall, rotate := time.Now().UnixNano(), r.opts.Rotate.Nanoseconds()
	full := wall/rotate != r.sealed/rotate || int64(r.bytes) >= r.opts.RotateBytes
	switch {
	case full || !r.quiet.asleep:
		if err := errors.Join(r.probes.FlushIdle(), r.account(full)); err != nil {
			return err
		}
	default: // the runtime may have something to tell all the same
		r.learn()
	}
	r.convert.containers.forget(bootNS, r.forget)
	if full {
		r.read() // what FlushIdle flushed belongs into these files
		return r.seal(wall, false)
	}
	r.batch.containers = append(r.batch.containers, r.convert.containers.rows(wall, &r.clock)...)
	if r.ledger.losing() {
		r.batch.losses = append(r.batch.losses, r.ledger.rows(r.sealed, wall, false)...)
	}
	r.batch.sync = true
	r.hand()
	return nil
}

// forget drops what is kept of a container, after its last rows.
func (r *recorder) forget(cgroup uint64) {
	r.ledger.forget(cgroup)
	r.throttles.forget(cgroup)
	r.gate.forget(cgroup)
}

// learn takes in the runtime's facts.
func (r *recorder) learn() {
	for range len(r.facts) {
		r.convert.containers.learn(<-r.facts)
	}
}

// account takes in the runtime's facts and, where there is news, the kernel's
// containers, counts and spells of throttling: to read its maps takes two calls of the
// system for each of their entries. All is read now and then, and where it is asked for.
func (r *recorder) account(all bool) error {
	r.learn()
	news, err := r.probes.News() // first: what is new while the maps are read is so the next time too
	now := bootNow()
	all = all || now-r.accountedNS > accountEvery.Nanoseconds()
	if all || news != r.news || r.throttles.open() {
		r.news = news
		err = errors.Join(err, r.readMaps())
	}
	if all {
		r.accountedNS = now
		uncounted, countErr := r.probes.Uncounted()
		r.ledger.uncounted = uncounted
		err = errors.Join(err, countErr)
	}
	return errors.Join(err, r.gate.settle(r.convert.containers.byCgroup))
}

// accountEvery is how often all is read without news.
const accountEvery = 10 * time.Second

func (r *recorder) readMaps() error {
	err := r.convert.containers.scan()
	err = errors.Join(err, r.ledger.update(r.convert.containers))
	rows, throttleErr := r.throttles.rows(bootNow(), r.clock, r.convert.containers)
	for _, row := range rows {
		r.batch.events = append(r.batch.events, row)
		r.gateEvent(r.convert.containers.byCgroup[row.CgroupID], -1)
	}
	return errors.Join(err, throttleErr)
}

// seal ends the open files: containers that are known, losses since the last
// time, and the names of the files.
func (r *recorder) seal(wall int64, final bool) error {
	if !final {
		r.convert.containers.again() // each file's neighbours may be deleted one day
	}
	r.batch.containers = append(r.batch.containers, r.convert.containers.rows(wall, &r.clock)...)
	r.batch.losses = append(r.batch.losses, r.ledger.rows(r.sealed, wall, final)...)
	r.batch.seal, r.batch.final = !final, final
	r.hand()
	r.sealed, r.bytes = wall, 0
	r.seals++
	clock, err := measureClock()
	if err == nil {
		r.clock = clock
	}
	return err
}

// finish takes what is left in threads and rings, after the programs are off.
func (r *recorder) finish() error {
	err := r.probes.Detach()
	err = errors.Join(err, r.epoch(bootNow()))
	for range 2 { // a program that ran on another CPU at the time has ended by the second
		err = errors.Join(err, r.probes.FlushIdle())
		r.read()
		time.Sleep(5 * time.Millisecond)
	}
	err = errors.Join(err, r.probes.FlushBlocked())
	r.readRest(200, func() { time.Sleep(5 * time.Millisecond) })
	err = errors.Join(err, r.account(true))
	r.gate.finish(r.convert.containers.byCgroup)
	r.convert.processes.running()
	return errors.Join(err, r.seal(time.Now().UnixNano(), true))
}

// readRest reads all there is. A record that is being written holds up what is behind
// it, for as long as its CPU does something else: that is waited for, with so many pauses
// at most, for else what is in the other ring would be handed out before it.
func (r *recorder) readRest(pauses int, pause func()) {
	for r.read(); pauses > 0 && (r.events.writing() || r.secure.writing() || r.calls.writing()); pauses-- {
		pause()
		r.read()
	}
	r.events.drain(r.event)
	r.secure.drain(r.event)
}
