package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// quarantine gathers samples of bad records, as JSON lines: the file, where in
// it, why, and the begin of the record. It is bounded by file.
type quarantine struct {
	lines   bytes.Buffer
	samples map[string]int // by file
}

const (
	maxSamples     = 100      // of one file
	maxSampleBytes = 2048     // of one record
	maxQuarantine  = 16 << 20 // bytes, of one batch
)

// sample is one line of a quarantine file.
type sample struct {
	File   string `json:"file"`
	Format string `json:"format"`
	Offset int64  `json:"offset"`
	Line   int64  `json:"line,omitempty"`
	Record int64  `json:"record,omitempty"`
	Reason string `json:"reason"`
	Text   string `json:"text,omitempty"`  // begin of the record
	Bytes  []byte `json:"bytes,omitempty"` // the same where it is no UTF-8, base64
	Cut    bool   `json:"cut,omitempty"`   // the record is longer
}

func newQuarantine() *quarantine { return &quarantine{samples: map[string]int{}} }

func (q *quarantine) add(name, format string, pos Position, record []byte, why error) error {
	if q.samples[name] >= maxSamples || q.lines.Len() > maxQuarantine {
		return nil
	}
	q.samples[name]++
	s := sample{File: name, Format: format, Offset: pos.Offset, Line: pos.Line, Record: pos.Record, Reason: why.Error(),
		Cut: len(record) > maxSampleBytes}
	record = record[:min(len(record), maxSampleBytes)]
	if utf8.Valid(record) {
		s.Text = string(record)
	} else {
		s.Bytes = record
	}
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	q.lines.Write(append(line, '\n'))
	return nil
}

// write makes the quarantine's file in a stage, where there is anything for it,
// and returns what its name in the trace will be.
func (q *quarantine) write(stage string, batch int64) (string, error) {
	if q.lines.Len() == 0 {
		return "", nil
	}
	dir := filepath.Join(stage, "quarantine")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(dir, "ingest.jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(q.lines.Bytes())
	if err == nil {
		err = f.Sync()
	}
	return fmt.Sprintf("quarantine/ingest-%d.jsonl", batch), errors.Join(err, f.Close())
}
