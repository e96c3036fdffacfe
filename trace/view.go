package trace

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// EventBatch reads the columns of one record of events by row. It holds no
// reference of its own: it and the strings it returns are valid until the record
// is released. Rows count from 0 to Len()-1. It is safe for concurrent use.
type EventBatch struct {
	rec                             arrow.Record
	timeNS, bootNS, startNS         []int64
	cgroup                          []uint64
	pid, tid, ppid                  []int32
	kind, container, comm, exe      *array.String
	path, path2, cwd, exeOrigin     *array.String
	family, addr, localAddr         *array.String
	uid, gid, ret, flags, mode, arg *array.Int64
	targetPID, port, localPort      *array.Int64
	argv                            stringLists
	argvCut                         *array.Boolean
}

// ViewEvents returns the view of a record that has every column of
// ArrowSchema(Events); others are ignored.
func ViewEvents(rec arrow.Record) (*EventBatch, error) {
	c := columns{rec: rec}
	b := &EventBatch{
		rec:    rec,
		timeNS: c.times("time_ns"), bootNS: c.int64s("boot_ns"), startNS: c.int64s("start_ns"),
		cgroup: c.uint64s("cgroup_id"),
		pid:    c.int32s("pid"), tid: c.int32s("tid"), ppid: c.int32s("ppid"),
		kind: c.strings("kind"), container: c.strings("container_id"), comm: c.strings("comm"), exe: c.strings("exe"),
		path: c.strings("path"), path2: c.strings("path2"), cwd: c.strings("cwd"), exeOrigin: c.strings("exe_origin"),
		family: c.strings("family"), addr: c.strings("addr"), localAddr: c.strings("local_addr"),
		uid: c.nullable("uid"), gid: c.nullable("gid"), ret: c.nullable("ret"),
		flags: c.nullable("flags"), mode: c.nullable("mode"), arg: c.nullable("arg"),
		targetPID: c.nullable("target_pid"), port: c.nullable("port"), localPort: c.nullable("local_port"),
		argv: c.stringLists("argv"), argvCut: c.bools("argv_cut"),
	}
	if c.err != nil {
		return nil, c.err
	}
	return b, nil
}

// Len returns the number of rows.
func (b *EventBatch) Len() int { return len(b.timeNS) }

// Record returns the record that b reads.
func (b *EventBatch) Record() arrow.Record { return b.rec }

// The columns of row i, as Event documents them. A string that is null is
// empty; the second result of a number is false where it is null.

func (b *EventBatch) TimeNS(i int) int64            { return b.timeNS[i] }
func (b *EventBatch) BootNS(i int) int64            { return b.bootNS[i] }
func (b *EventBatch) Kind(i int) Kind               { return Kind(b.kind.Value(i)) }
func (b *EventBatch) ContainerID(i int) string      { return b.container.Value(i) }
func (b *EventBatch) CgroupID(i int) uint64         { return b.cgroup[i] }
func (b *EventBatch) PID(i int) int32               { return b.pid[i] }
func (b *EventBatch) TID(i int) int32               { return b.tid[i] }
func (b *EventBatch) StartNS(i int) int64           { return b.startNS[i] }
func (b *EventBatch) PPID(i int) int32              { return b.ppid[i] }
func (b *EventBatch) UID(i int) (int64, bool)       { return number(b.uid, i) }
func (b *EventBatch) GID(i int) (int64, bool)       { return number(b.gid, i) }
func (b *EventBatch) Comm(i int) string             { return b.comm.Value(i) }
func (b *EventBatch) Exe(i int) string              { return b.exe.Value(i) }
func (b *EventBatch) Ret(i int) (int64, bool)       { return number(b.ret, i) }
func (b *EventBatch) Path(i int) string             { return b.path.Value(i) }
func (b *EventBatch) Path2(i int) string            { return b.path2.Value(i) }
func (b *EventBatch) ArgvLen(i int) int             { return b.argv.length(i) }
func (b *EventBatch) ArgvAt(i, j int) string        { return b.argv.at(i, j) }
func (b *EventBatch) Argv(i int) []string           { return b.argv.all(i) } // allocates
func (b *EventBatch) ArgvCut(i int) bool            { return b.argvCut.Value(i) }
func (b *EventBatch) Cwd(i int) string              { return b.cwd.Value(i) }
func (b *EventBatch) ExeOrigin(i int) string        { return b.exeOrigin.Value(i) }
func (b *EventBatch) Flags(i int) (int64, bool)     { return number(b.flags, i) }
func (b *EventBatch) Mode(i int) (int64, bool)      { return number(b.mode, i) }
func (b *EventBatch) Arg(i int) (int64, bool)       { return number(b.arg, i) }
func (b *EventBatch) TargetPID(i int) (int64, bool) { return number(b.targetPID, i) }
func (b *EventBatch) Family(i int) string           { return b.family.Value(i) }
func (b *EventBatch) Addr(i int) string             { return b.addr.Value(i) }
func (b *EventBatch) Port(i int) (int64, bool)      { return number(b.port, i) }
func (b *EventBatch) LocalAddr(i int) string        { return b.localAddr.Value(i) }
func (b *EventBatch) LocalPort(i int) (int64, bool) { return number(b.localPort, i) }

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
// ArrowSchema(Sequences); others are ignored.
func ViewSequences(rec arrow.Record) (*SequenceBatch, error) {
	c := columns{rec: rec}
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

// The columns of row i, as Sequence documents them. A null string is empty.

func (b *SequenceBatch) TimeNS(i int) int64       { return b.timeNS[i] }
func (b *SequenceBatch) BootNS(i int) int64       { return b.bootNS[i] }
func (b *SequenceBatch) SpanNS(i int) int64       { return b.spanNS[i] }
func (b *SequenceBatch) ContainerID(i int) string { return b.container.Value(i) }
func (b *SequenceBatch) CgroupID(i int) uint64    { return b.cgroup[i] }
func (b *SequenceBatch) PID(i int) int32          { return b.pid[i] }
func (b *SequenceBatch) TID(i int) int32          { return b.tid[i] }
func (b *SequenceBatch) StartNS(i int) int64      { return b.startNS[i] }
func (b *SequenceBatch) Comm(i int) string        { return b.comm.Value(i) }
func (b *SequenceBatch) Chunk(i int) int64        { return b.chunk[i] }

// Calls returns the calls of row i without a copy; callers must not change them.
func (b *SequenceBatch) Calls(i int) []uint16 {
	return b.calls[b.offsets[i]:b.offsets[i+1]:b.offsets[i+1]]
}

func number(a *array.Int64, i int) (int64, bool) {
	if a.IsNull(i) {
		return 0, false
	}
	return a.Value(i), true
}

// columns finds typed columns of a record; err keeps the first that is missing
// or of another type.
type columns struct {
	rec arrow.Record
	err error
}

func column[A arrow.Array](c *columns, name, want string) (a A) {
	at := c.rec.Schema().FieldIndices(name)
	if len(at) == 0 {
		c.fail(fmt.Errorf("column %q: missing", name))
		return a
	}
	a, ok := c.rec.Column(at[0]).(A)
	if !ok {
		c.fail(fmt.Errorf("column %q: want %s, got %s", name, want, c.rec.Column(at[0]).DataType()))
	}
	return a
}

func (c *columns) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *columns) times(name string) []int64 {
	if a := column[*array.Timestamp](c, name, "timestamp"); a != nil {
		return arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues()))
	}
	return nil
}

func (c *columns) int64s(name string) []int64 {
	if a := column[*array.Int64](c, name, "int64"); a != nil {
		return a.Int64Values()
	}
	return nil
}

func (c *columns) uint64s(name string) []uint64 {
	if a := column[*array.Uint64](c, name, "uint64"); a != nil {
		return a.Uint64Values()
	}
	return nil
}

func (c *columns) int32s(name string) []int32 {
	if a := column[*array.Int32](c, name, "int32"); a != nil {
		return a.Int32Values()
	}
	return nil
}

func (c *columns) nullable(name string) *array.Int64 { return column[*array.Int64](c, name, "int64") }
func (c *columns) strings(name string) *array.String { return column[*array.String](c, name, "utf8") }
func (c *columns) bools(name string) *array.Boolean  { return column[*array.Boolean](c, name, "bool") }

// stringLists reads a column of lists of strings.
type stringLists struct {
	offsets []int32
	values  *array.String
}

func (l stringLists) length(i int) int   { return int(l.offsets[i+1] - l.offsets[i]) }
func (l stringLists) at(i, j int) string { return l.values.Value(int(l.offsets[i]) + j) }
func (l stringLists) all(i int) []string {
	n := l.length(i)
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for j := range all {
		all[j] = l.at(i, j)
	}
	return all
}

func (c *columns) stringLists(name string) stringLists {
	list := column[*array.List](c, name, "list of utf8")
	if list == nil {
		return stringLists{}
	}
	values, ok := list.ListValues().(*array.String)
	if !ok {
		c.fail(fmt.Errorf("column %q: want list of utf8, got %s", name, list.DataType()))
	}
	return stringLists{listOffsets(list), values}
}

func (c *columns) uint16Lists(name string) ([]int32, []uint16) {
	list := column[*array.List](c, name, "list of uint16")
	if list == nil {
		return nil, nil
	}
	values, ok := list.ListValues().(*array.Uint16)
	if !ok {
		c.fail(fmt.Errorf("column %q: want list of uint16, got %s", name, list.DataType()))
		return nil, nil
	}
	return listOffsets(list), values.Uint16Values()
}

// listOffsets returns Len()+1 offsets into the list's values, for a slice of a
// list too.
func listOffsets(list *array.List) []int32 {
	offset := list.Data().Offset()
	return list.Offsets()[offset : offset+list.Len()+1]
}
