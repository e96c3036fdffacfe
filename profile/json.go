package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxBytes is the longest profile that Decode takes.
const MaxBytes = 64 << 20

// Decode reads a profile as JSON and validates it: known kinds, order, no
// repetition, evidence that can be.
func Decode(r io.Reader) (*Profile, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("profile: longer than %d bytes", MaxBytes)
	}
	p := &Profile{}
	if err := json.Unmarshal(text, p); err != nil {
		if errors.As(err, new(*json.SyntaxError)) {
			err = fmt.Errorf("not a profile: %w", err)
		}
		return nil, err
	}
	return p, nil
}

// format and version are what a file of a profile begins with. Files without them
// are of version 1.
const (
	format  = "mayfly profile"
	version = 2
)

// Encode writes the profile as JSON, a line for each item, container and trace: the
// same bytes for the same profile. FORMAT.md describes it.
func (p *Profile) Encode(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "{%q: %q, %q: %d,\n", "format", format, "version", version)
	err := lines(&out, "traces", "", p.Traces)
	out.WriteString(",\n\"workloads\": [")
	for i := range p.Workloads {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		if err == nil {
			err = p.Workloads[i].encode(&out)
		}
	}
	out.WriteString("\n]}\n")
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	_, err = w.Write(out.Bytes())
	return err
}

// encode writes all but the lists on one line, then the lists.
func (w *Workload) encode(out *bytes.Buffer) error {
	head := struct {
		*Workload
		Containers []Replica `json:"containers,omitempty"`
		Items      []Entry   `json:"items,omitempty"`
	}{Workload: w}
	text, err := compact(head)
	if err != nil {
		return err
	}
	out.Write(text[:len(text)-1]) // without the brace
	out.WriteString(",\n")
	if err := lines(out, "containers", " ", w.Containers); err != nil {
		return err
	}
	out.WriteString(",\n")
	err = lines(out, "items", " ", w.Items)
	out.WriteByte('}')
	return err
}

// lines writes a list, a line for each of it.
func lines[T any](out *bytes.Buffer, name, indent string, list []T) error {
	fmt.Fprintf(out, "%s%q: [", indent, name)
	for i := range list {
		text, err := compact(&list[i])
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + indent + " ")
		out.Write(text)
	}
	out.WriteByte(']')
	return nil
}

// compact is JSON on one line, with <, > and & as they are.
func compact(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// MarshalJSON is Encode.
func (p *Profile) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	err := p.Encode(&out)
	return out.Bytes(), err
}

// UnmarshalJSON reads and validates.
func (p *Profile) UnmarshalJSON(text []byte) error {
	var file struct {
		Format    string     `json:"format"`
		Version   int        `json:"version"`
		Traces    []Trace    `json:"traces"`
		Workloads []Workload `json:"workloads"`
	}
	if err := strictly(text, &file); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	switch {
	case file.Format == "" && file.Version == 0: // version 1
	case file.Format != format:
		return fmt.Errorf("profile: want format %q, got %.80q", format, file.Format)
	case file.Version != version:
		return fmt.Errorf("profile: is of version %d, this mayfly reads version %d", file.Version, version)
	}
	out := Profile{file.Traces, file.Workloads}
	if err := out.check(); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	*p = out
	return nil
}

// strictly refuses fields that are not known.
func strictly(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// check says what is wrong with a profile that was read.
func (p *Profile) check() error {
	if p.Workloads == nil {
		return errors.New("no list of workloads")
	}
	if len(p.Traces) > maxTraces {
		return fmt.Errorf("%d traces, want at most %d", len(p.Traces), maxTraces)
	}
	for i := range p.Traces {
		if err := p.Traces[i].check(); err != nil {
			return err
		}
		if i > 0 && compareTraces(p.Traces[i-1], p.Traces[i]) >= 0 {
			return fmt.Errorf("trace %.80q: out of order", p.Traces[i].Name)
		}
	}
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if i > 0 && p.Workloads[i-1].Name >= w.Name {
			return fmt.Errorf("workload %.80q: out of order", w.Name)
		}
		if err := w.check(len(p.Traces)); err != nil {
			return fmt.Errorf("workload %.80q: %w", w.Name, err)
		}
	}
	return nil
}

// check says what is wrong with a workload that was read.
func (w *Workload) check(traces int) error {
	switch {
	case w.Name == "" || !utf8.ValidString(w.Name) || len(w.Name) > MaxValue:
		return errors.New("bad name")
	case w.Windows < 0 || w.Lost < 0 || w.GapWindows < 0:
		return errors.New("negative count")
	case w.FromNS > w.ToNS:
		return errors.New("ends before it begins")
	}
	if len(w.Containers) > maxMembers {
		return fmt.Errorf("%d containers, want at most %d", len(w.Containers), maxMembers)
	}
	for i := range w.Containers {
		if err := w.Containers[i].check(); err != nil {
			return err
		}
		if i > 0 && w.Containers[i-1].ID >= w.Containers[i].ID {
			return fmt.Errorf("list: %.80q out of order", w.Containers[i].ID)
		}
	}
	for i, e := range w.Items {
		if i > 0 && w.Items[i-1].Item.Compare(e.Item) >= 0 {
			return fmt.Errorf("item %.80q: out of order", e.Item)
		}
		if err := e.check(w, traces); err != nil {
			return fmt.Errorf("item %.80q: %w", e.Item, err)
		}
	}
	lists := []*[]string{&w.Hosts, &w.Machines}
	if w.Declared != nil {
		lists = append(lists, w.Declared.lists()...)
		if p := w.Declared.Pods; p != nil {
			lists = append(lists, &p.Namespaces, &p.Owners, &p.Containers, &p.Labels)
		}
	}
	for _, list := range lists {
		if err := checkSet(*list); err != nil {
			return err
		}
	}
	for i, o := range w.Overflow {
		if !knownKind(o.Kind) || o.Count <= 0 || i > 0 && w.Overflow[i-1].Kind >= o.Kind {
			return fmt.Errorf("bad overflow of kind %.80q", o.Kind)
		}
	}
	return nil
}

// checkSet wants valid, sorted, different strings.
func checkSet(set []string) error {
	for i, s := range set {
		if !utf8.ValidString(s) || len(s) > MaxValue || s == "" {
			return fmt.Errorf("list: bad value %.80q", s)
		}
		if i > 0 && set[i-1] >= s {
			return fmt.Errorf("list: %.80q out of order", s)
		}
	}
	return nil
}
