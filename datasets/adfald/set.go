package adfald

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// Bounds of the archive; the real one holds 5,618 traces in 17.5 MiB.
const (
	maxArchiveBytes = 128 << 20
	maxTraces       = 1 << 16
	maxTraceBytes   = 4 << 20
)

// Archive is the name of the dataset's file in its folder.
const Archive = "adfa-ld.tar.xz"

// Set is the dataset. It is read-only and safe for concurrent use.
type Set struct{ Traces []Trace } // by part, session and name

// Open reads the dataset: its archive, or the folder that holds it. Every trace
// is read at once (about 10 MB).
func Open(name string) (*Set, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, Archive)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("adfa-ld: %w", err)
	}
	defer f.Close()
	set, err := Read(f, name)
	if err != nil {
		return nil, fmt.Errorf("adfa-ld: %w", err)
	}
	return set, nil
}

// Read reads a tar archive compressed by xz. name stands for the input in errors,
// which also name the file within.
func Read(r io.Reader, name string) (*Set, error) {
	z, err := xz.ReaderConfig{SingleStream: true}.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("%s: no xz archive: %w", name, err)
	}
	return ReadTar(z, name)
}

// ReadTar reads the archive, not compressed. Files that are no traces are
// passed over; a trace that stands twice, or a bad one, is an error.
func ReadTar(r io.Reader, name string) (*Set, error) {
	archive := tar.NewReader(&bounded{r, maxArchiveBytes})
	set := &Set{}
	seen := map[string]bool{}
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t, ok := place(head.Name)
		if !ok || head.Typeflag != tar.TypeReg {
			continue
		}
		switch {
		case seen[head.Name]:
			return nil, fmt.Errorf("%s: %s: stands twice", name, head.Name)
		case len(set.Traces) == maxTraces:
			return nil, fmt.Errorf("%s: more than %d traces", name, maxTraces)
		case head.Size > maxTraceBytes:
			return nil, fmt.Errorf("%s: %s: %d bytes, want at most %d", name, head.Name, head.Size, maxTraceBytes)
		}
		seen[head.Name] = true
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, head.Name, err)
		}
		if t.Calls, err = ParseTrace(text); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, head.Name, err)
		}
		set.Traces = append(set.Traces, t)
	}
	if len(set.Traces) == 0 {
		return nil, fmt.Errorf("%s: no traces in it: want %s", name, "Training_Data_Master/, Validation_Data_Master/ and Attack_Data_Master/")
	}
	slices.SortStableFunc(set.Traces, byPlace)
	return set, nil
}

func byPlace(a, b Trace) int {
	return strings.Compare(fmt.Sprint(int(a.Part), " ", a.Session, " ", a.Name), fmt.Sprint(int(b.Part), " ", b.Session, " ", b.Name))
}

var folders = map[string]Part{
	"Training_Data_Master": Training, "Validation_Data_Master": Validation, "Attack_Data_Master": Attack,
}

// session is the name of a folder of attacks: a kind and a number.
var session = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_]{0,63})_[0-9]{1,4}$`)

// place tells from a file's path in the archive which trace it holds.
func place(file string) (t Trace, ok bool) {
	dir, base := path.Split(path.Clean(file))
	if t.Name, ok = strings.CutSuffix(base, ".txt"); !ok {
		return t, false
	}
	dir = path.Clean(dir)
	if t.Part, ok = folders[path.Base(dir)]; ok {
		return t, t.Part != Attack
	}
	if folders[path.Base(path.Dir(dir))] != Attack {
		return t, false
	}
	m := session.FindStringSubmatch(path.Base(dir))
	if m == nil {
		return t, false
	}
	t.Part, t.Session, t.Kind = Attack, m[0], m[1]
	return t, true
}

// Part returns the traces of one part, in order.
func (s *Set) Part(p Part) []Trace {
	var traces []Trace
	for _, t := range s.Traces {
		if t.Part == p {
			traces = append(traces, t)
		}
	}
	return traces
}

// Kinds lists the kinds of attack, sorted.
func (s *Set) Kinds() []string {
	var kinds []string
	for _, t := range s.Traces {
		if t.Part == Attack && !slices.Contains(kinds, t.Kind) {
			kinds = append(kinds, t.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// bounded is a reader that refuses, rather than ends, after left bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("more bytes than the dataset has")
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
