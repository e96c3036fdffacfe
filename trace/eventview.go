package trace

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// EventBatch reads the columns of one record of events by row. It holds no
// reference of its own: it and the strings it returns are valid until the record
// is released. Rows count from 0 to Len()-1, and the methods are named after the
// fields of Event, which say what the columns mean. A string that is null is
// empty; the second result of a number is false where it is null. It is safe for
// concurrent use.
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
	via                             *array.String
}

// ViewEvents returns the view of a record that has every column of
// ArrowSchema(Events), but for those added after the first version, which may be
// missing; others are ignored.
func ViewEvents(rec arrow.Record) (*EventBatch, error) {
	c := columns{rec: rec, table: Events}
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
		argv: c.stringLists("argv"), argvCut: c.bools("argv_cut"), via: c.strings("via"),
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

// TimeNS returns time_ns of row i.
func (b *EventBatch) TimeNS(i int) int64 { return b.timeNS[i] }

// BootNS returns boot_ns of row i.
func (b *EventBatch) BootNS(i int) int64 { return b.bootNS[i] }

// Kind returns kind of row i.
func (b *EventBatch) Kind(i int) Kind { return Kind(b.kind.Value(i)) }

// ContainerID returns container_id of row i.
func (b *EventBatch) ContainerID(i int) string { return b.container.Value(i) }

// CgroupID returns cgroup_id of row i.
func (b *EventBatch) CgroupID(i int) uint64 { return b.cgroup[i] }

// PID returns pid of row i.
func (b *EventBatch) PID(i int) int32 { return b.pid[i] }

// TID returns tid of row i.
func (b *EventBatch) TID(i int) int32 { return b.tid[i] }

// StartNS returns start_ns of row i.
func (b *EventBatch) StartNS(i int) int64 { return b.startNS[i] }

// PPID returns ppid of row i.
func (b *EventBatch) PPID(i int) int32 { return b.ppid[i] }

// UID returns uid of row i.
func (b *EventBatch) UID(i int) (int64, bool) { return number(b.uid, i) }

// GID returns gid of row i.
func (b *EventBatch) GID(i int) (int64, bool) { return number(b.gid, i) }

// Comm returns comm of row i.
func (b *EventBatch) Comm(i int) string { return b.comm.Value(i) }

// Exe returns exe of row i.
func (b *EventBatch) Exe(i int) string { return b.exe.Value(i) }

// Ret returns ret of row i.
func (b *EventBatch) Ret(i int) (int64, bool) { return number(b.ret, i) }

// Path returns path of row i.
func (b *EventBatch) Path(i int) string { return b.path.Value(i) }

// Path2 returns path2 of row i.
func (b *EventBatch) Path2(i int) string { return b.path2.Value(i) }

// ArgvLen returns the length of argv of row i.
func (b *EventBatch) ArgvLen(i int) int { return b.argv.length(i) }

// ArgvAt returns element j of argv of row i.
func (b *EventBatch) ArgvAt(i, j int) string { return b.argv.at(i, j) }

// Argv returns argv of row i in a new slice.
func (b *EventBatch) Argv(i int) []string { return b.argv.all(i) }

// ArgvCut returns argv_cut of row i.
func (b *EventBatch) ArgvCut(i int) bool { return b.argvCut.Value(i) }

// Cwd returns cwd of row i.
func (b *EventBatch) Cwd(i int) string { return b.cwd.Value(i) }

// ExeOrigin returns exe_origin of row i.
func (b *EventBatch) ExeOrigin(i int) string { return b.exeOrigin.Value(i) }

// Flags returns flags of row i.
func (b *EventBatch) Flags(i int) (int64, bool) { return number(b.flags, i) }

// Mode returns mode of row i.
func (b *EventBatch) Mode(i int) (int64, bool) { return number(b.mode, i) }

// Arg returns arg of row i.
func (b *EventBatch) Arg(i int) (int64, bool) { return number(b.arg, i) }

// TargetPID returns target_pid of row i.
func (b *EventBatch) TargetPID(i int) (int64, bool) { return number(b.targetPID, i) }

// Family returns family of row i.
func (b *EventBatch) Family(i int) string { return b.family.Value(i) }

// Addr returns addr of row i.
func (b *EventBatch) Addr(i int) string { return b.addr.Value(i) }

// Port returns port of row i.
func (b *EventBatch) Port(i int) (int64, bool) { return number(b.port, i) }

// LocalAddr returns local_addr of row i.
func (b *EventBatch) LocalAddr(i int) string { return b.localAddr.Value(i) }

// LocalPort returns local_port of row i.
func (b *EventBatch) LocalPort(i int) (int64, bool) { return number(b.localPort, i) }

// Via returns via of row i; "" in recordings before that column.
func (b *EventBatch) Via(i int) string { return b.via.Value(i) }
