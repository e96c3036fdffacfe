package feature

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Label says that a container was under attack in [FromNS, ToNS].
type Label struct {
	Container string // the first 12 or more hex digits of a container's id, or its whole name
	FromNS    int64  // since 1970-01-01 UTC
	ToNS      int64  // ≥ FromNS
	Attack    string // the name of the attack; one name may have several labels
}

// maxLabels, maxLabelBytes and maxLabelLine bound what ReadLabels takes into
// memory: a device without end is one long line.
const (
	maxLabels     = 1 << 20
	maxLabelBytes = 64 << 20
	maxLabelLine  = 64 << 10
)

var labelHeader = []string{"container", "from", "to", "attack"}

// Names reports whether the label speaks of a container.
func (l *Label) Names(containerID, containerName string) bool {
	if l.Container == containerName && containerName != "" {
		return true
	}
	return isIDPrefix(l.Container) && strings.HasPrefix(containerID, l.Container) ||
		l.Container == containerID && containerID != ""
}

// Covers reports whether a window is of the label's container and shares time
// with it.
func (l *Label) Covers(w *Window) bool {
	return w.StartNS <= l.ToNS && w.EndNS() > l.FromNS && l.Names(w.ContainerID, w.ContainerName)
}

func isIDPrefix(s string) bool {
	return len(s) >= 12 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// OpenLabels reads a file of labels. Errors start with the file's name and, where
// a line is to blame, its number: "labels.csv:3: …".
func OpenLabels(path string) ([]Label, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	return ReadLabels(f, path)
}

// ReadLabels reads labels as CSV: the header container,from,to,attack, then one
// label per line; times are RFC 3339, with or without a fraction; lines that
// start with # are comments. name stands for the input in errors.
func ReadLabels(r io.Reader, name string) ([]Label, error) {
	in := csv.NewReader(bufio.NewReader(&boundedLines{r: r}))
	in.Comment = '#'
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	var labels []Label
	for seen := false; ; seen = true {
		row, err := in.Read()
		if errors.Is(err, io.EOF) && seen {
			return labels, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: no labels: want a first line %q", name, strings.Join(labelHeader, ","))
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return nil, fmt.Errorf("%s:%d: %w", name, bad.Line, bad.Err)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		if !seen {
			if got := strings.Join(row, ","); strings.TrimPrefix(got, "\ufeff") != strings.Join(labelHeader, ",") {
				return nil, fmt.Errorf("%s:%d: header: got %q, want %q", name, line, clip(got), strings.Join(labelHeader, ","))
			}
			continue
		}
		if len(labels) == maxLabels {
			return nil, fmt.Errorf("%s:%d: more than %d labels", name, line, maxLabels)
		}
		l, err := parseLabel(row)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		labels = append(labels, l)
	}
}

// boundedLines fails where lines, or all of them together, are too long for labels.
type boundedLines struct {
	r         io.Reader
	all, line int // bytes read, and of the line begun
}

func (l *boundedLines) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	l.all += n
	if end := bytes.LastIndexByte(b[:n], '\n'); end >= 0 {
		l.line = n - end - 1
	} else {
		l.line += n
	}
	switch {
	case l.line > maxLabelLine:
		return 0, fmt.Errorf("not labels: a line of more than %d bytes", maxLabelLine)
	case l.all > maxLabelBytes:
		return 0, fmt.Errorf("more than %d bytes of labels", maxLabelBytes)
	}
	return n, err
}

func parseLabel(row []string) (Label, error) {
	if len(row) != len(labelHeader) {
		return Label{}, fmt.Errorf("got %d fields, want %d (%s)", len(row), len(labelHeader), strings.Join(labelHeader, ","))
	}
	l := Label{Container: row[0], Attack: row[3]}
	if err := l.check(); err != nil {
		return Label{}, err
	}
	for i, to := range []*int64{&l.FromNS, &l.ToNS} {
		t, err := parseTime(row[i+1])
		if err != nil {
			return Label{}, fmt.Errorf("%s: %w", labelHeader[i+1], err)
		}
		*to = t
	}
	if l.ToNS < l.FromNS {
		return Label{}, fmt.Errorf("to: %s lies before from", row[2])
	}
	return l, nil
}

// check refuses what CSV could not give back.
func (l *Label) check() error {
	for _, f := range []struct{ name, text string }{{"container", l.Container}, {"attack", l.Attack}} {
		if f.text == "" {
			return fmt.Errorf("%s: empty", f.name)
		}
		if !utf8.ValidString(f.text) || strings.ContainsFunc(f.text, unicode.IsControl) || f.text[0] == '#' {
			return fmt.Errorf("%s: %q: want plain text that does not start with #", f.name, clip(f.text))
		}
	}
	return nil
}

func parseTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not an RFC 3339 time", clip(s))
	}
	if y := t.UTC().Year(); y < 1970 || y > 2261 {
		return 0, fmt.Errorf("%q: year out of 1970 to 2261", clip(s))
	}
	return t.UnixNano(), nil
}

// clip keeps an error to one readable line.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// WriteLabels writes labels so that ReadLabels gives them back.
func WriteLabels(w io.Writer, labels []Label) error {
	out := csv.NewWriter(w)
	if err := out.Write(labelHeader); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	stamp := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
	for i, l := range labels {
		if err := l.check(); err != nil {
			return fmt.Errorf("label %d: %w", i, err)
		}
		if err := out.Write([]string{l.Container, stamp(l.FromNS), stamp(l.ToNS), l.Attack}); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return nil
}
