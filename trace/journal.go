package trace

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path"

	"github.com/klauspost/compress/s2"
)

// A journal keeps the rows of the files that are still open, so that they
// survive the end of their writer: see Journals in FORMAT.md. It is a row of
// frames:
//
//	length    uint32, of the payload
//	checksum  uint32, CRC-32C of all that follows in the frame
//	number    uint64, of frames of rows: 0, 1, 2 … within the generation, across its files
//	kind      byte
//	payload
const (
	frameHead  = 17
	frameLimit = 64 << 20 // bytes of a payload at most
)

// Kinds of frame. A frame of rows has its table's place in Tables behind frameRows.
const (
	frameBegin = 'J' // first of each file: journalHead as JSON
	frameAck   = 'A' // varint, ns since 1970: everything before was told to be on disk, as of this time
	frameRows  = 'a'
)

var crc32c = crc32.MakeTable(crc32.Castagnoli)

// journalVersion is the version of the layout of frames and rows.
const journalVersion = 1

// journalHead says what a journal holds.
type journalHead struct {
	Version    int                     `json:"version"`
	Generation int64                   `json:"generation"` // <n> of the files that replace the journal
	BeganNS    int64                   `json:"began_ns"`   // ns since 1970
	Meta       Meta                    `json:"meta"`
	Columns    map[Table][]codecColumn `json:"columns"`
}

// journal is the open journal of one generation of files. Its frames are in
// memory until sync wrote them; a sync that fails leaves them there for the next.
type journal struct {
	disk   disk
	folder string
	head   journalHead
	files  []string // of the generation, all of them
	ends   []int64  // bytes of each that are on disk; what may be behind them was never acknowledged
	file   diskFile // the last of files; nil where the next sync has to make one
	number uint64   // of the next frame of rows
	buffer []byte   // frames that are not on disk
	ackNS  int64    // when the last sync succeeded; head.BeganNS before
	coded  []byte
	packed []byte
	bytes  int64 // written in all, for measurements
}

func newJournal(d disk, head journalHead) *journal {
	return &journal{disk: d, folder: journalFolderOf(pathText(head.Meta.Host)), head: head, ackNS: head.BeganNS}
}

// appendFrame adds a frame to b.
func appendFrame(b []byte, number uint64, kind byte, payload []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = append(b, payload...)
	f := b[at:]
	binary.LittleEndian.PutUint32(f, uint32(len(payload)))
	binary.LittleEndian.PutUint64(f[8:], number)
	f[16] = kind
	binary.LittleEndian.PutUint32(f[4:], crc32.Checksum(f[8:], crc32c))
	return b
}

// addRows appends rows to the journal's memory.
func addRows[T any](j *journal, table Table, codec *rowCodec[T], rows []T) {
	for len(rows) > 0 {
		n := min(len(rows), maxFrameRows)
		raw := codec.append(j.coded[:0], rows[:n])
		j.coded, j.packed = raw, s2.Encode(j.packed[:cap(j.packed)], raw)
		j.buffer = appendFrame(j.buffer, j.number, frameRows+byte(tableIndex(table)), j.packed)
		j.number++
		rows = rows[n:]
	}
}

// sync brings all frames to disk and adds the frame that says so. Afterwards
// they are acknowledged. After an error they are not, and stay in memory.
func (j *journal) sync(nowNS int64) error {
	if len(j.buffer) == 0 {
		return nil
	}
	mark := len(j.buffer)
	// The mark takes no number of its own: rows may have it in the next file.
	j.buffer = appendFrame(j.buffer, j.number, frameAck, binary.AppendVarint(nil, nowNS))
	if err := j.write(); err != nil {
		j.buffer = j.buffer[:mark]
		return fmt.Errorf("journal: %w", err)
	}
	j.buffer, j.ackNS = j.buffer[:0], nowNS
	return nil
}

func (j *journal) write() error {
	if j.file == nil {
		if err := j.create(); err != nil {
			return err
		}
	}
	_, err := j.file.Write(j.buffer)
	if err == nil {
		if err = j.file.Sync(); err == nil {
			j.ends[len(j.ends)-1] += int64(len(j.buffer))
			j.bytes += int64(len(j.buffer))
			return nil
		}
	}
	// What is behind its end is not to be trusted. After a failed fsync neither is a
	// second one of the same file (LWN 752063): the frames go into a new file,
	// with the same numbers.
	return errors.Join(err, j.leave())
}

// leave closes the file where frames may be torn.
func (j *journal) leave() error {
	file := j.file
	j.file = nil
	return errors.Join(file.Truncate(j.ends[len(j.ends)-1]), file.Close())
}

// create makes the next file of the generation, with its head.
func (j *journal) create() error {
	text, err := json.Marshal(j.head)
	if err != nil {
		return err
	}
	if err := mkdirs(j.disk, j.folder); err != nil {
		return err
	}
	name := path.Join(j.folder, fmt.Sprintf("journal-%d-%d", j.head.Generation, len(j.files)))
	file, err := j.disk.create(name)
	if err != nil {
		return err
	}
	head := appendFrame(nil, 0, frameBegin, text)
	if _, err = file.Write(head); err == nil {
		if err = file.Sync(); err == nil {
			err = j.disk.syncFolder(j.folder)
		}
	}
	if err != nil {
		return errors.Join(err, file.Close(), j.disk.remove(name))
	}
	j.files, j.ends, j.file = append(j.files, name), append(j.ends, int64(len(head))), file
	return nil
}

// remove deletes the journal: sealed files hold its rows.
func (j *journal) remove() error {
	err := j.close()
	for _, name := range j.files {
		err = errors.Join(err, j.disk.remove(name))
	}
	j.files, j.ends = nil, nil
	return err
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	file := j.file
	j.file = nil
	return file.Close()
}

func tableIndex(t Table) int {
	for i, table := range Tables() {
		if table == t {
			return i
		}
	}
	return -1
}
