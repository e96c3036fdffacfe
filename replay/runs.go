package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Runs gathers findings that come in sorted runs, one for each host or shard, and
// gives all of them in order. They lie in a temporary file that has no name; memory
// is a few kilobytes for each run.
type Runs struct {
	mu   sync.Mutex
	file *os.File
	ends []int64
}

// Add appends a run: lines of Found in the order of Place.Compare. It may be called
// by several goroutines; whose run comes first has no influence on Each.
func (r *Runs) Add(lines io.Reader) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		if r.file, err = unnamed(); err != nil {
			return err
		}
	}
	from := int64(0)
	if n := len(r.ends); n > 0 {
		from = r.ends[n-1]
	}
	if _, err := r.file.Seek(from, io.SeekStart); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	n, err := io.Copy(r.file, lines)
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	if n > 0 {
		r.ends = append(r.ends, from+n)
	}
	return nil
}

// Close frees the file.
func (r *Runs) Close() {
	if r.file != nil {
		_ = r.file.Close() // it is gone already
	}
}

// unnamed makes a file that goes with the process.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "mayfly-findings-")
	if err != nil {
		return nil, fmt.Errorf("findings: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("findings: %w", err), f.Close())
	}
	return f, nil
}

// foundRun reads one run.
type foundRun struct {
	lines *bufio.Reader
	next  Found
}

func (r *foundRun) step() (bool, error) {
	line, err := r.lines.ReadBytes('\n')
	if errors.Is(err, io.EOF) && len(line) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("findings: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // a time is more than a float64 holds
	last := r.next.Place
	r.next = Found{}
	if err := d.Decode(&r.next); err != nil {
		return false, fmt.Errorf("findings: %w", err)
	}
	if r.next.Finding == nil || last != (Place{}) && last.Compare(&r.next.Place) >= 0 {
		return false, fmt.Errorf("findings: a line that is none, or out of order, at %d ns", r.next.Place.AtNS)
	}
	return true, nil
}

// Each gives the findings of all runs to emit, in the order of their places. Two of
// one place are an error: a host was scored twice.
func (r *Runs) Each(emit func(*Found) error) error {
	var heap []*foundRun
	from := int64(0)
	for _, end := range r.ends {
		run := &foundRun{lines: bufio.NewReader(io.NewSectionReader(r.file, from, end-from))}
		from = end
		more, err := run.step()
		if err != nil {
			return err
		}
		if more {
			heap = append(heap, run)
			up(heap, len(heap)-1)
		}
	}
	for len(heap) > 0 {
		found := heap[0].next
		if err := emit(&found); err != nil {
			return err
		}
		more, err := heap[0].step()
		if err != nil {
			return err
		}
		if !more {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		down(heap)
		if len(heap) > 0 && found.Place.Compare(&heap[0].next.Place) == 0 {
			return fmt.Errorf("findings: host %.80q was scored twice", found.Place.Host)
		}
	}
	return nil
}

func less(a, b *foundRun) bool { return a.next.Place.Compare(&b.next.Place) < 0 }

func up(heap []*foundRun, i int) {
	for ; i > 0 && less(heap[i], heap[(i-1)/2]); i = (i - 1) / 2 {
		heap[i], heap[(i-1)/2] = heap[(i-1)/2], heap[i]
	}
}

func down(heap []*foundRun) {
	for i := 0; ; {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(heap) && less(heap[child], heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		heap[i], heap[least] = heap[least], heap[i]
		i = least
	}
}
