package ingest

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"mayfly/trace"
)

// What the sources of JSON have in common.

// numbers keeps the numbers that a row points to, until the next row.
type numbers struct {
	n    int
	room [16]int64
}

func (n *numbers) reset() { n.n = 0 }

func (n *numbers) keep(v int64) *int64 {
	if n.n == len(n.room) {
		return new(v) // v itself would lie on the heap each time
	}
	p := &n.room[n.n]
	*p = v
	n.n++
	return p
}

// parseTime reads a time of RFC 3339, with up to nine digits of a second.
func parseTime(s string) (ns int64, ok bool) {
	// 2006-01-02T15:04:05.999999999Z, the form that all of them write, by hand:
	// time.Parse takes ten times as long.
	if len(s) >= 20 && s[4] == '-' && s[7] == '-' && (s[10] == 'T' || s[10] == ' ') && s[13] == ':' && s[16] == ':' && s[len(s)-1] == 'Z' {
		year, a := twoDigits(s[0], s[1])
		low, b := twoDigits(s[2], s[3])
		month, c := twoDigits(s[5], s[6])
		day, d := twoDigits(s[8], s[9])
		hour, e := twoDigits(s[11], s[12])
		minute, f := twoDigits(s[14], s[15])
		second, g := twoDigits(s[17], s[18])
		frac, h := fraction(s[19 : len(s)-1])
		year = 100*year + low
		if a && b && c && d && e && f && g && h && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month) &&
			hour < 24 && minute < 60 && second < 60 && year >= 1970 && year < 2200 {
			return (daysSince1970(year, month, day)*86400+int64(hour*3600+minute*60+second))*1e9 + frac, true
		}
		return 0, false
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		// Falco writes +0000 for +00:00 in some versions.
		if at, err = time.Parse("2006-01-02T15:04:05.999999999-0700", s); err != nil {
			return 0, false
		}
	}
	if y := at.Year(); y < 1970 || y >= 2200 {
		return 0, false
	}
	return at.UnixNano(), true
}

func twoDigits(a, b byte) (int, bool) {
	return int(a-'0')*10 + int(b-'0'), a >= '0' && a <= '9' && b >= '0' && b <= '9'
}

// fraction reads ".123" as ns.
func fraction(s string) (int64, bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != '.' || len(s) < 2 || len(s) > 10 {
		return 0, false
	}
	ns := int64(0)
	for i := 1; i < 10; i++ {
		ns *= 10
		if i < len(s) {
			if s[i] < '0' || s[i] > '9' {
				return 0, false
			}
			ns += int64(s[i] - '0')
		}
	}
	return ns, true
}

func daysOf(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days of the Gregorian calendar (Howard Hinnant,
// "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

func badTime(s string) error { return fmt.Errorf("time %.40q: is none between 1970 and 2200", s) }

// ipFamily is the family of an IP address; "" where the text is none.
func ipFamily(s string) string {
	switch {
	case s == "":
		return ""
	case strings.IndexByte(s, ':') < 0 && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' && strings.IndexByte(s, '.') > 0:
		return "inet"
	}
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Is4() {
			return "inet"
		}
		return "inet6"
	}
	return ""
}

// programs follows the programs of a file from their begin to their end, for the
// processes table. It is bounded: what has no room has a row without an end.
type programs struct {
	out   *Sink
	event trace.Event // the event at hand
	open  map[string]*program
	order []string // of open, the oldest first; some may be gone
	arena arena
}

type program struct {
	host string
	row  trace.Process
}

const maxPrograms = 1 << 14

func newPrograms(out *Sink) *programs { return &programs{out: out, open: map[string]*program{}} }

// of returns the row of a program that runs; an empty one where it is not known.
func (p *programs) of(id string) *trace.Process {
	if o := p.open[id]; o != nil {
		return &o.row
	}
	return &trace.Process{}
}

// processOf is the row that an event tells of.
func processOf(e *trace.Event) trace.Process {
	return trace.Process{TimeNS: e.TimeNS, BootNS: e.BootNS, ContainerID: e.ContainerID, CgroupID: e.CgroupID, PID: e.PID,
		StartNS: e.StartNS, PPID: e.PPID, UID: e.UID, GID: e.GID, Comm: e.Comm, Exe: e.Exe, Argv: e.Argv, Cwd: e.Cwd}
}

// began notes a program; id names it as the format does.
func (p *programs) began(host, id string, e *trace.Event) error {
	if id == "" {
		return nil
	}
	o := &program{host: strings.Clone(host), row: processOf(e)}
	ownProcess(&p.arena, &o.row)
	if len(p.open) >= maxPrograms || len(p.order) >= 4*maxPrograms {
		if err := p.forget(); err != nil {
			return err
		}
	}
	id = strings.Clone(id)
	p.order = append(p.order, id)
	p.open[id] = o
	return nil
}

// forget gives the rows of the older half of what runs.
func (p *programs) forget() error {
	order := p.order
	p.order = nil
	for i, id := range order {
		o := p.open[id]
		switch {
		case o == nil:
		case i < len(order)/2:
			delete(p.open, id)
			if err := p.out.Process(o.host, &o.row); err != nil {
				return err
			}
		default:
			p.order = append(p.order, id)
		}
	}
	return nil
}

// replaced gives the row of a program that another exec of its process ended.
func (p *programs) replaced(id string, endNS int64) error {
	o := p.open[id]
	if o == nil {
		return nil
	}
	delete(p.open, id)
	o.row.EndTimeNS = &endNS
	return p.out.Process(o.host, &o.row)
}

// ended gives the row of a program that ended, which e tells all of.
func (p *programs) ended(host, id string, e *trace.Event, endNS, status int64) error {
	row := processOf(e)
	row.EndTimeNS, row.ExitStatus = &endNS, &status
	delete(p.open, id)
	return p.out.Process(host, &row)
}

// end gives the rows of what still ran at the end of the file.
func (p *programs) end() error {
	for _, id := range p.order {
		if o := p.open[id]; o != nil { // once, where a name came again
			delete(p.open, id)
			if err := p.out.Process(o.host, &o.row); err != nil {
				return err
			}
		}
	}
	return nil
}
