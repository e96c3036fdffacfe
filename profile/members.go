package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Members are places in a list of containers or traces, ascending. In JSON they
// are written as the kernel writes lists of CPUs: "0-3,7".
type Members []int

// MarshalText writes 0-3,7.
func (m Members) MarshalText() ([]byte, error) {
	var b []byte
	for i := 0; i < len(m); {
		to := i
		for to+1 < len(m) && m[to+1] == m[to]+1 {
			to++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(m[i]), 10)
		if to > i {
			b = strconv.AppendInt(append(b, '-'), int64(m[to]), 10)
		}
		i = to + 1
	}
	return b, nil
}

// UnmarshalText reads what MarshalText wrote, and nothing else.
func (m *Members) UnmarshalText(text []byte) error {
	*m = nil
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.ParseUint(from, 10, 31)
		b := a
		if err == nil && isRange {
			b, err = strconv.ParseUint(to, 10, 31)
		}
		if err != nil || b < a || b-a > maxMembers || len(*m) > maxMembers {
			return fmt.Errorf("members %.80q: want ascending numbers and ranges, as 0-3,7", text)
		}
		for ; a <= b; a++ {
			*m = append(*m, int(a))
		}
	}
	if again, _ := m.MarshalText(); string(again) != string(text) {
		return fmt.Errorf("members %.80q: want ascending numbers and ranges, as 0-3,7", text)
	}
	return nil
}

// maxMembers is the longest list that Members may be of.
const maxMembers = 4096

// check says that the members are places in a list of a length.
func (m Members) check(length int) error {
	last := -1
	for _, i := range m {
		if i <= last || i >= length {
			return fmt.Errorf("members: %d behind %d, in a list of %d", i, last, length)
		}
		last = i
	}
	return nil
}

// Has says whether a place is among the members.
func (m Members) Has(place int) bool {
	_, ok := slices.BinarySearch(m, place)
	return ok
}
