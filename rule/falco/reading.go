package falco

import (
	"encoding/binary"

	"mayfly/trace"
)

// reads says what of an event its rules have looked at: they fire on another event
// as on this one where all of that is the same.
type reads uint32

const (
	readProcess reads = 1 << iota
	readHost
	readPath
	readPath2
	readFamily
	readAddr
	readLocalAddr
	readPID
	readPPID
	readTID
	readUID
	readGID
	readRet
	readFlags
	readMode
	readArg
	readPort
	readLocalPort
	readOnce // what no other event has: its number, its time
)

// event is the row that comparisons look at. They look by its methods only, which
// keep account of what was read.
type event struct {
	b        *trace.EventBatch
	i        int
	kind     trace.Kind
	host     int
	hostname string
	arm      bool       // the machine has ARM's open flags
	who      *process   // who made the call, after it
	tree     *processes // of all hosts
	place    int64      // of the event, from 1

	read  reads
	above int // how many processes above its own were read
	buf   []byte
}

func (e *event) path() string      { e.read |= readPath; return e.b.Path(e.i) }
func (e *event) path2() string     { e.read |= readPath2; return e.b.Path2(e.i) }
func (e *event) family() string    { e.read |= readFamily; return e.b.Family(e.i) }
func (e *event) addr() string      { e.read |= readAddr; return e.b.Addr(e.i) }
func (e *event) localAddr() string { e.read |= readLocalAddr; return e.b.LocalAddr(e.i) }

func (e *event) pid() int32               { e.read |= readPID; return e.b.PID(e.i) }
func (e *event) ppid() int32              { e.read |= readPPID; return e.b.PPID(e.i) }
func (e *event) tid() int32               { e.read |= readTID; return e.b.TID(e.i) }
func (e *event) uid() (int64, bool)       { e.read |= readUID; return e.b.UID(e.i) }
func (e *event) gid() (int64, bool)       { e.read |= readGID; return e.b.GID(e.i) }
func (e *event) ret() (int64, bool)       { e.read |= readRet; return e.b.Ret(e.i) }
func (e *event) flags() (int64, bool)     { e.read |= readFlags; return e.b.Flags(e.i) }
func (e *event) mode() (int64, bool)      { e.read |= readMode; return e.b.Mode(e.i) }
func (e *event) arg() (int64, bool)       { e.read |= readArg; return e.b.Arg(e.i) }
func (e *event) port() (int64, bool)      { e.read |= readPort; return e.b.Port(e.i) }
func (e *event) localPort() (int64, bool) { e.read |= readLocalPort; return e.b.LocalPort(e.i) }
func (e *event) hostName() string         { e.read |= readHost; return e.hostname }
func (e *event) isARM() bool              { e.read |= readHost; return e.arm }
func (e *event) number() int64            { e.read |= readOnce; return e.place }
func (e *event) timeNS() int64            { e.read |= readOnce; return e.b.TimeNS(e.i) }
func (e *event) bootNS() int64            { e.read |= readOnce; return e.b.BootNS(e.i) }
func (e *event) startNS() int64           { e.read |= readOnce; return e.b.StartNS(e.i) }
func (e *event) process() *process        { e.read |= readProcess; return e.who }

// parent returns who began p, which is the process so many above the event's own;
// nil when that is not known.
func (e *event) parent(p *process, above int) *process {
	e.read |= readProcess
	e.above = max(e.above, above+1)
	return e.tree.parent(e.host, p)
}

// key writes the values that were read, so that equal keys are of equal values; it
// is valid until the next call. Of processes above the event's own it has so many,
// up to the first whose parent no comparison asks for.
func (e *event) key(of reads, above int) []byte {
	k := e.buf[:0]
	if of&readHost != 0 {
		k = binary.LittleEndian.AppendUint32(k, uint32(e.host))
		if e.arm {
			k[len(k)-1] |= 0x80
		}
	}
	if of&readProcess != 0 {
		p := e.who
		k = binary.LittleEndian.AppendUint64(k, e.tree.likeness(p))
		for range above {
			if p = e.tree.parent(e.host, p); p == nil {
				k = append(k, 0)
				break
			}
			k = binary.LittleEndian.AppendUint64(append(k, 1), e.tree.likeness(p))
			if p.pid == 1 {
				break
			}
		}
	}
	for _, c := range textColumns {
		if of&c.bit != 0 {
			text := c.value(e.b, e.i)
			k = append(binary.AppendUvarint(k, uint64(len(text))), text...)
		}
	}
	for _, c := range numberColumns {
		if of&c.bit == 0 {
			continue
		}
		n, ok := c.value(e.b, e.i)
		if k = binary.LittleEndian.AppendUint64(k, uint64(n)); ok {
			k = append(k, 1)
		} else {
			k = append(k, 0)
		}
	}
	e.buf = k
	return k
}

// textColumns and numberColumns are what of a row's own columns can be in a key.
var textColumns = []struct {
	bit   reads
	value func(*trace.EventBatch, int) string
}{
	{readPath, (*trace.EventBatch).Path},
	{readPath2, (*trace.EventBatch).Path2},
	{readFamily, (*trace.EventBatch).Family},
	{readAddr, (*trace.EventBatch).Addr},
	{readLocalAddr, (*trace.EventBatch).LocalAddr},
}

var numberColumns = []struct {
	bit   reads
	value func(*trace.EventBatch, int) (int64, bool)
}{
	{readPID, func(b *trace.EventBatch, i int) (int64, bool) { return int64(b.PID(i)), true }},
	{readPPID, func(b *trace.EventBatch, i int) (int64, bool) { return int64(b.PPID(i)), true }},
	{readTID, func(b *trace.EventBatch, i int) (int64, bool) { return int64(b.TID(i)), true }},
	{readUID, (*trace.EventBatch).UID},
	{readGID, (*trace.EventBatch).GID},
	{readRet, (*trace.EventBatch).Ret},
	{readFlags, (*trace.EventBatch).Flags},
	{readMode, (*trace.EventBatch).Mode},
	{readArg, (*trace.EventBatch).Arg},
	{readPort, (*trace.EventBatch).Port},
	{readLocalPort, (*trace.EventBatch).LocalPort},
}
