package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"mayfly/bpf"
)

// Sections of an event's body, and their flags: enum section of bpf/mayfly.h.
const (
	sectionFile      = 1
	sectionPath      = 2
	sectionBase      = 3
	sectionPath2     = 4
	sectionBase2     = 5
	sectionCwd       = 6
	sectionArgv      = 7
	sectionFstype    = 8
	sectionSockaddr  = 9
	sectionSock      = 10
	sectionUnixLocal = 11
	sectionUnixPeer  = 12
	sectionExe       = 13
	sectionFile2     = 14
	sectionName      = 15
	sectionAddress   = 16
	sections         = 17

	flagCut      = 1
	flagDetached = 2
	flagOutside  = 4
)

const (
	eventHead    = int(unsafe.Sizeof(bpf.MayflyEvent{}))
	sequenceHead = int(unsafe.Sizeof(bpf.MayflySequence{}))
)

// eventTime is the time of an event record, 0 where it is too short to have one.
func eventTime(record []byte) uint64 {
	const at = unsafe.Offsetof(bpf.MayflyEvent{}.Time)
	if len(record) < eventHead {
		return 0
	}
	return binary.LittleEndian.Uint64(record[at:])
}

var errShort = errors.New("record is shorter than it says")

// section is one part of an event's body. bytes is nil where the event has none.
type section struct {
	bytes []byte
	flags uint8
}

// rawEvent is an event record taken apart. Its sections point into the record.
type rawEvent struct {
	bpf.MayflyEvent
	sections [sections]section
}

// decode takes a record apart; e keeps no part of an earlier one. Sections of a
// type that is not known are skipped.
func (e *rawEvent) decode(record []byte) error {
	if len(record) < eventHead {
		return fmt.Errorf("event of %d bytes: %w", len(record), errShort)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e.MayflyEvent)), eventHead), record)
	clear(e.sections[:])
	for body := record[eventHead:]; len(body) >= 4; {
		kind, flags := body[0], body[1]
		n := int(binary.LittleEndian.Uint16(body[2:]))
		if 4+n > len(body) {
			return fmt.Errorf("event section %d of %d bytes: %w", kind, n, errShort)
		}
		if kind < sections {
			e.sections[kind] = section{bytes: body[4 : 4+n : 4+n], flags: flags}
		}
		body = body[min(len(body), (4+n+3)&^3):]
	}
	return nil
}

// rawSequence is a sequence record taken apart; calls points into the record.
type rawSequence struct {
	bpf.MayflySequence
	calls []byte // two bytes each
}

func (s *rawSequence) decode(record []byte) error {
	if len(record) < sequenceHead {
		return fmt.Errorf("sequence of %d bytes: %w", len(record), errShort)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&s.MayflySequence)), sequenceHead), record)
	calls := record[sequenceHead:]
	if int(s.N)*2 > len(calls) {
		return fmt.Errorf("sequence of %d calls in %d bytes: %w", s.N, len(calls), errShort)
	}
	s.calls = calls[:int(s.N)*2]
	return nil
}

// sockNames are the two ends of a socket.
type sockNames struct {
	family    uint16
	localPort uint16
	peerPort  uint16
	local     [16]byte
	peer      [16]byte
}

func (s section) sockNames() (names sockNames, ok bool) {
	if len(s.bytes) < int(unsafe.Sizeof(bpf.MayflySockNames{})) {
		return names, false
	}
	names.family = binary.LittleEndian.Uint16(s.bytes)
	names.localPort = binary.LittleEndian.Uint16(s.bytes[2:])
	names.peerPort = binary.LittleEndian.Uint16(s.bytes[4:])
	copy(names.local[:], s.bytes[8:])
	copy(names.peer[:], s.bytes[24:])
	return names, true
}

func (s section) exeFile() (exe bpf.MayflyExeFile, ok bool) {
	size := int(unsafe.Sizeof(exe))
	if len(s.bytes) < size {
		return exe, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&exe)), size), s.bytes)
	return exe, true
}

// cstring is the text of a fixed array up to its first NUL.
func cstring(s []int8) []byte {
	b := unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s))
	for i, c := range b {
		if c == 0 {
			return b[:i]
		}
	}
	return b
}
