package trace

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// SequenceBatch reads the columns of one record of sequences by row, under the
// same terms as EventBatch.
type SequenceBatch struct {
	rec                             arrow.Record
	timeNS, bootNS, spanNS, startNS []int64
	chunk                           []int64
	cgroup                          []uint64
	pid, tid                        []int32
	container, comm                 *array.String
	offsets                         []int32
	calls                           []uint16
}

// ViewSequences returns the view of a record that has every column of
// ArrowSchema(Sequences), but for those added after the first version, which may
// be missing; others are ignored.
func ViewSequences(rec arrow.Record) (*SequenceBatch, error) {
	c := columns{rec: rec, table: Sequences}
	b := &SequenceBatch{
		rec:    rec,
		timeNS: c.times("time_ns"), bootNS: c.int64s("boot_ns"),
		spanNS: c.int64s("span_ns"), startNS: c.int64s("start_ns"),
		chunk: c.int64s("chunk"), cgroup: c.uint64s("cgroup_id"),
		pid: c.int32s("pid"), tid: c.int32s("tid"),
		container: c.strings("container_id"), comm: c.strings("comm"),
	}
	b.offsets, b.calls = c.uint16Lists("calls")
	if c.err != nil {
		return nil, c.err
	}
	return b, nil
}

// Len returns the number of rows.
func (b *SequenceBatch) Len() int { return len(b.timeNS) }

// Record returns the record that b reads.
func (b *SequenceBatch) Record() arrow.Record { return b.rec }

// TimeNS returns time_ns of row i.
func (b *SequenceBatch) TimeNS(i int) int64 { return b.timeNS[i] }

// BootNS returns boot_ns of row i.
func (b *SequenceBatch) BootNS(i int) int64 { return b.bootNS[i] }

// SpanNS returns span_ns of row i.
func (b *SequenceBatch) SpanNS(i int) int64 { return b.spanNS[i] }

// ContainerID returns container_id of row i.
func (b *SequenceBatch) ContainerID(i int) string { return b.container.Value(i) }

// CgroupID returns cgroup_id of row i.
func (b *SequenceBatch) CgroupID(i int) uint64 { return b.cgroup[i] }

// PID returns pid of row i.
func (b *SequenceBatch) PID(i int) int32 { return b.pid[i] }

// TID returns tid of row i.
func (b *SequenceBatch) TID(i int) int32 { return b.tid[i] }

// StartNS returns start_ns of row i.
func (b *SequenceBatch) StartNS(i int) int64 { return b.startNS[i] }

// Comm returns comm of row i.
func (b *SequenceBatch) Comm(i int) string { return b.comm.Value(i) }

// Chunk returns chunk of row i.
func (b *SequenceBatch) Chunk(i int) int64 { return b.chunk[i] }

// Calls returns the calls of row i without a copy; callers must not change them.
func (b *SequenceBatch) Calls(i int) []uint16 {
	return b.calls[b.offsets[i]:b.offsets[i+1]:b.offsets[i+1]]
}
