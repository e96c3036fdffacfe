package shard

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// Version is the version of the member file; another one is refused.
const Version = 1

const format = "mayfly shard"

// Member is what one part did. Its file, Spec.Name() + ".json", appears last, by
// rename: where it is, the part is done. The same part of the same work has the same
// bytes, so that it may be done again at any time, and by two processes at once.
type Member struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Mayfly  string `json:"mayfly"` // version of the program
	Stage   string `json:"stage"`  // ingest, train or replay
	Index   int    `json:"index"`
	Count   int    `json:"count"`

	// Work says what all parts have in common: the stage's options and the names of
	// all units, in order. It must be the same bytes in each.
	Work json.RawMessage `json:"work"`

	Inputs  []File          `json:"inputs"`  // the part's own
	Outputs []File          `json:"outputs"` // in the folder, Name without directories
	State   json.RawMessage `json:"state"`   // what else the stage merges
}

// File is a file that a part read or wrote.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Spec is which part it is.
func (m *Member) Spec() Spec { return Spec{m.Index, m.Count} }

// Path is where an output lies in a folder.
func (m *Member) Path(dir string, i int) string { return filepath.Join(dir, m.Outputs[i].Name) }

// Write puts the member into a folder. Its Outputs are there already, complete:
// what they are is looked up here by their names.
func (m *Member) Write(dir string) error {
	m.Format, m.Version = format, Version
	for i := range m.Outputs {
		got, err := Sum(filepath.Join(dir, m.Outputs[i].Name))
		if err != nil {
			return err
		}
		m.Outputs[i] = got
	}
	content, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", m.Spec().Name(), err)
	}
	return renameio.WriteFile(filepath.Join(dir, m.Spec().Name()+".json"), append(content, '\n'), 0o644)
}

// Sum describes a file by its base name, length and hash.
func Sum(path string) (File, error) {
	in, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer func() { _ = in.Close() }() // only read
	h := sha256.New()
	n, err := io.Copy(h, in)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return File{filepath.Base(path), hex.EncodeToString(h.Sum(nil)), n}, nil
}

// Names is the SHA-256, in hex, of names in their order, each with a newline: all that
// a member need say of a list that may be long.
func Names(names []string) string {
	h := sha256.New()
	for _, name := range names {
		_, _ = io.WriteString(h, name+"\n") // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Open reads the members of a folder, in order. It refuses one whose member is
// missing, of another program, stage or work, or whose outputs are not those that
// the member tells of. Several works may not share a folder.
func Open(dir string) ([]Member, error) {
	names, err := filepath.Glob(filepath.Join(escaped(dir), "shard-*-of-*.json"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s: no shard in it is done: no shard-…-of-….json", dir)
	}
	members := make([]Member, 0, len(names))
	for _, name := range names {
		m, err := read(name)
		if err != nil {
			return nil, err
		}
		members = append(members, *m)
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.Index, b.Index) })
	if err := agree(dir, members); err != nil {
		return nil, err
	}
	for i := range members {
		if err := members[i].checkOutputs(dir); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// maxMember is the largest member file that is read.
const maxMember = 1 << 30

func read(path string) (*Member, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMember {
		return nil, fmt.Errorf("%s: want a regular file of at most %d bytes", path, maxMember)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := decode(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if want := m.Spec().Name() + ".json"; filepath.Base(path) != want {
		return nil, fmt.Errorf("%s: is shard %v, which has the name %s", path, m.Spec(), want)
	}
	return m, nil
}

func decode(content []byte) (*Member, error) {
	var m Member
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, fmt.Errorf("not a shard: %w", err)
	}
	switch {
	case m.Format != format:
		return nil, fmt.Errorf("not a shard: format %.40q, want %q", m.Format, format)
	case m.Version != Version:
		return nil, fmt.Errorf("shard of version %d, this mayfly reads %d", m.Version, Version)
	case m.Count < 1 || m.Count > maxCount || m.Index < 0 || m.Index >= m.Count:
		return nil, fmt.Errorf("shard %d of %d: no such part", m.Index, m.Count)
	}
	for _, out := range m.Outputs {
		if out.Name == "" || out.Name != filepath.Base(out.Name) || out.Name == "." || out.Name == ".." {
			return nil, fmt.Errorf("output %.80q: want a name without a folder", out.Name)
		}
	}
	return &m, nil
}

// agree checks that the members are the parts of one work, each once.
func agree(dir string, members []Member) error {
	first := &members[0]
	for i := range members {
		m := &members[i]
		differ := func(what string) error {
			return fmt.Errorf("%s: %s and %s differ in their %s: they are no parts of one work", dir, first.Spec().Name(), m.Spec().Name(), what)
		}
		switch {
		case m.Count != first.Count:
			return differ("number of shards")
		case m.Stage != first.Stage:
			return differ("command")
		case m.Mayfly != first.Mayfly:
			return differ("version of mayfly")
		case !sameJSON(m.Work, first.Work):
			return differ("options or inputs")
		}
	}
	var missing []int
	for i, next := 0, 0; i < first.Count; i++ {
		if next < len(members) && members[next].Index == i {
			next++
		} else {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: %d of %d shards are not done, the first is %d/%d", dir, len(missing), first.Count, missing[0], first.Count)
	}
	return nil
}

// sameJSON compares two values but for the white space between.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func (m *Member) checkOutputs(dir string) error {
	for i, want := range m.Outputs {
		got, err := Sum(m.Path(dir, i))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %s is missing, which %s made", dir, want.Name, m.Spec().Name())
		}
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s: is not what %s made: %d bytes with SHA-256 %.12s…, want %d with %.12s…",
				m.Path(dir, i), m.Spec().Name(), got.Bytes, got.SHA256, want.Bytes, want.SHA256)
		}
	}
	return nil
}

// escaped keeps a folder's name from being a pattern.
func escaped(dir string) string {
	var b []byte
	for i := range len(dir) {
		if bytes.IndexByte([]byte(`*?[\`), dir[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, dir[i])
	}
	return string(b)
}
