package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// LedgerName is the file of a trace directory that says which foreign files were
// taken into it: a JSON line for each batch.
const LedgerName = "taken.jsonl"

// headBytes is how much of a file's begin is hashed by itself, to find what may
// be the same file without reading all of it.
const headBytes = 4096

// takenFile is a file, or the begin of one that grew since, that is in the trace.
// Content alone counts: its name is there for people.
type takenFile struct {
	Name     string `json:"name"`
	Format   string `json:"format"`
	Bytes    int64  `json:"bytes"`           // of the decompressed content that was taken
	SHA256   string `json:"sha256"`          // of them
	Head     string `json:"head"`            // SHA-256 of the first HeadLen of them
	HeadLen  int64  `json:"head_len"`        // min(Bytes, 4096)
	Whole    bool   `json:"whole,omitempty"` // the format cannot be continued
	Rows     int64  `json:"rows"`
	Rejected int64  `json:"rejected,omitempty"`
}

// takenObject is a version of an object of a store that is in the trace, all that
// it held: it need not be read again to know that. A content that comes under
// another name, or version, is told by takenFile still.
type takenObject struct {
	URL     string `json:"url"`
	Version string `json:"version"` // as the store says it
	Bytes   int64  `json:"bytes"`
}

// takenBatch is one line of the ledger.
type takenBatch struct {
	Batch   int64         `json:"batch"`  // from 1
	Number  int64         `json:"number"` // of the trace's files that the next batch begins with
	Files   []takenFile   `json:"files"`
	Objects []takenObject `json:"objects,omitempty"`
}

// ledger is what was taken into a trace, by the hash of the head.
type ledger struct {
	path    string
	batches int64
	number  int64
	valid   int64 // bytes of whole lines
	taken   map[string][]takenFile
	lens    []int64 // different HeadLens
	objects map[takenObject]struct{}
}

func openLedger(dir string) (*ledger, error) {
	l := &ledger{path: filepath.Join(dir, LedgerName), taken: map[string][]takenFile{}, objects: map[takenObject]struct{}{}}
	content, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	for line := int64(1); ; line++ {
		end := bytes.IndexByte(content[l.valid:], '\n')
		if end < 0 {
			return l, nil // what follows is of a batch that was not committed
		}
		var b takenBatch
		if err := json.Unmarshal(content[l.valid:l.valid+int64(end)], &b); err != nil {
			if l.valid+int64(end)+1 == int64(len(content)) {
				return l, nil // a power cut left the room of a line without its bytes
			}
			return nil, fmt.Errorf("%s: line %d: %w", l.path, line, err)
		}
		l.valid += int64(end) + 1
		l.batches, l.number = b.Batch, b.Number
		l.addBatch(&b)
	}
}

func (l *ledger) addBatch(b *takenBatch) {
	for i := range b.Files {
		l.add(b.Files[i])
	}
	for _, o := range b.Objects {
		l.objects[o] = struct{}{}
	}
}

func (l *ledger) add(t takenFile) {
	l.taken[t.Head] = append(l.taken[t.Head], t)
	if !slices.Contains(l.lens, t.HeadLen) {
		l.lens = append(l.lens, t.HeadLen)
	}
}

// like returns what was taken that begins as head does, the longest first.
// head is the file's begin, or all of it where it is shorter than headBytes.
func (l *ledger) like(head []byte) []takenFile {
	var all []takenFile
	for _, n := range l.lens {
		if int64(len(head)) >= n {
			all = append(all, l.taken[hashOf(head[:n])]...)
		}
	}
	slices.SortStableFunc(all, func(a, b takenFile) int { return int(min(1, max(-1, b.Bytes-a.Bytes))) })
	return all
}

// append adds a batch to the file, on disk when it returns.
func (l *ledger) append(b *takenBatch) error {
	line, err := json.Marshal(b)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	err = f.Truncate(l.valid)
	if err == nil {
		_, err = f.WriteAt(line, l.valid)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	l.valid += int64(len(line))
	l.batches, l.number = b.Batch, b.Number
	return syncFolder(filepath.Dir(l.path))
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
