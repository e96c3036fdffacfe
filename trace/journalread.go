package trace

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/s2"
)

// journalReader reads the frames of one generation's journal, file by file.
type journalReader struct {
	head journalHead
	next uint64 // number of the next frame of rows
	ack  int64  // the last time of acknowledgement; 0: none
}

// journalRows takes the rows of one frame.
type journalRows struct {
	events     func([]Event) error
	sequences  func([]Sequence) error
	processes  func([]Process) error
	containers func([]Container) error
	losses     func([]Loss) error
}

// errTorn says that a journal ends in bytes that are no whole frame.
var errTorn = errors.New("torn")

// readFile hands the rows of a file's whole frames to out. It returns how many
// bytes are sound; the error matches errTorn where others follow, which is how a
// journal ends whose writer was killed. Any other error is out's or the disk's.
func (r *journalReader) readFile(f io.ReaderAt, size int64, out journalRows) (sound int64, err error) {
	first := true
	for sound < size {
		number, kind, payload, err := readFrame(f, sound, size)
		if err != nil {
			return sound, err
		}
		if first != (kind == frameBegin) {
			return sound, fmt.Errorf("%w: a frame of kind %q where it cannot be", errTorn, kind)
		}
		first = false
		switch kind {
		case frameBegin:
			err = r.begin(payload)
		case frameAck:
			if ns, n := binary.Varint(payload); n > 0 {
				r.ack = max(r.ack, ns)
			}
		default:
			if number < r.next { // written again into this file after the one before could not be synced
				break
			}
			if number > r.next {
				return sound, fmt.Errorf("%w: frame %d where %d is due", errTorn, number, r.next)
			}
			if err = r.rows(kind, payload, out); err == nil {
				r.next++
			}
		}
		if err != nil {
			return sound, err
		}
		sound += frameHead + int64(len(payload))
	}
	return sound, nil
}

func readFrame(f io.ReaderAt, at, size int64) (number uint64, kind byte, payload []byte, err error) {
	if size-at < frameHead {
		return 0, 0, nil, fmt.Errorf("%w: %d bytes where a frame's head has %d", errTorn, size-at, frameHead)
	}
	var head [frameHead]byte
	if _, err := f.ReadAt(head[:], at); err != nil {
		return 0, 0, nil, err
	}
	length := int64(binary.LittleEndian.Uint32(head[:]))
	if length > frameLimit || length > size-at-frameHead {
		return 0, 0, nil, fmt.Errorf("%w: a frame of %d bytes where %d are left", errTorn, length, size-at-frameHead)
	}
	payload = make([]byte, length)
	if _, err := f.ReadAt(payload, at+frameHead); err != nil && (!errors.Is(err, io.EOF) || length > 0) {
		return 0, 0, nil, err
	}
	sum := crc32.Update(crc32.Checksum(head[8:], crc32c), crc32c, payload)
	if want := binary.LittleEndian.Uint32(head[4:]); sum != want {
		return 0, 0, nil, fmt.Errorf("%w: a frame of checksum %08x, want %08x", errTorn, sum, want)
	}
	return binary.LittleEndian.Uint64(head[8:]), head[16], payload, nil
}

func (r *journalReader) begin(payload []byte) error {
	var head journalHead
	if err := json.Unmarshal(payload, &head); err != nil {
		return fmt.Errorf("%w: head: %w", errTorn, err)
	}
	if head.Version != journalVersion {
		return fmt.Errorf("%w: journal version: want %d, got %d", errTorn, journalVersion, head.Version)
	}
	r.head = head
	return nil
}

// rows hands on the rows of a frame.
func (r *journalReader) rows(kind byte, payload []byte, out journalRows) error {
	at := int(kind) - frameRows
	if at < 0 || at >= len(Tables()) {
		return fmt.Errorf("%w: a frame of kind %q", errTorn, kind)
	}
	if n, err := s2.DecodedLen(payload); err != nil || n > frameLimit {
		return fmt.Errorf("%w: rows of %d bytes: %w", errTorn, n, errors.Join(err))
	}
	raw, err := s2.Decode(nil, payload)
	if err != nil {
		return fmt.Errorf("%w: rows: %w", errTorn, err)
	}
	table := Tables()[at]
	columns := r.head.Columns[table]
	switch table {
	case Events:
		return handRows(eventCodec, columns, raw, out.events)
	case Sequences:
		return handRows(sequenceCodec, columns, raw, out.sequences)
	case Processes:
		return handRows(processCodec, columns, raw, out.processes)
	case Containers:
		return handRows(containerCodec, columns, raw, out.containers)
	default:
		return handRows(lossCodec, columns, raw, out.losses)
	}
}

func handRows[T any](codec *rowCodec[T], columns []codecColumn, raw []byte, out func([]T) error) error {
	rows, err := codec.rows(columns, raw)
	if err != nil {
		return fmt.Errorf("%w: rows: %w", errTorn, err)
	}
	return out(rows)
}

// The codecs of the tables. They hold no state.
var (
	eventCodec     = newRowCodec[Event]()
	sequenceCodec  = newRowCodec[Sequence]()
	processCodec   = newRowCodec[Process]()
	containerCodec = newRowCodec[Container]()
	lossCodec      = newRowCodec[Loss]()
)

// codecColumns are the columns of the codecs.
func codecColumns() map[Table][]codecColumn {
	return map[Table][]codecColumn{Events: eventCodec.columns, Sequences: sequenceCodec.columns,
		Processes: processCodec.columns, Containers: containerCodec.columns, Losses: lossCodec.columns}
}
