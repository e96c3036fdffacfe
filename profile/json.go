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
		return nil, err
	}
	return p, nil
}

// Encode writes the profile as indented JSON: the same bytes for the same profile.
func (p *Profile) Encode(w io.Writer) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(p); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// UnmarshalJSON reads and validates.
func (p *Profile) UnmarshalJSON(text []byte) error {
	type plain Profile
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var out plain
	if err := dec.Decode(&out); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	for i := range out.Workloads {
		w := &out.Workloads[i]
		if i > 0 && out.Workloads[i-1].Name >= w.Name {
			return fmt.Errorf("profile: workload %.80q: out of order", w.Name)
		}
		if err := w.check(); err != nil {
			return fmt.Errorf("profile: workload %.80q: %w", w.Name, err)
		}
	}
	if out.Workloads == nil {
		return errors.New("profile: no list of workloads")
	}
	*p = Profile(out)
	return nil
}

// check says what is wrong with a workload that was read.
func (w *Workload) check() error {
	switch {
	case w.Name == "" || !utf8.ValidString(w.Name) || len(w.Name) > MaxValue:
		return errors.New("bad name")
	case w.Windows < 0 || w.Lost < 0 || w.GapWindows < 0:
		return errors.New("negative count")
	case w.FromNS > w.ToNS:
		return errors.New("ends before it begins")
	}
	for i, e := range w.Items {
		if i > 0 && w.Items[i-1].Item.Compare(e.Item) >= 0 {
			return fmt.Errorf("item %.80q: out of order", e.Item)
		}
		if err := e.check(w); err != nil {
			return fmt.Errorf("item %.80q: %w", e.Item, err)
		}
	}
	lists := []*[]string{&w.Containers, &w.Hosts, &w.Machines}
	if w.Declared != nil {
		lists = append(lists, w.Declared.lists()...)
		if p := w.Declared.Pods; p != nil {
			lists = append(lists, &p.Namespaces, &p.Owners, &p.Labels)
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

func (e *Entry) check(w *Workload) error {
	if err := e.Item.check(); err != nil {
		return err
	}
	switch {
	case e.Count < 0 || e.Windows < 1 || e.Windows > w.Windows:
		return errors.New("windows or count that cannot be")
	case e.Containers < 0 || e.Containers > MaxEvidence || e.Hosts < 0 || e.Hosts > MaxEvidence:
		return errors.New("containers or hosts that cannot be")
	case e.FirstNS > e.LastNS:
		return errors.New("last seen before it was first seen")
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
