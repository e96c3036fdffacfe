package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mayfly/record"
)

// onTerminal says whether somebody reads w as it is written.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// statusLine keeps one line at the bottom of a terminal up to date. What else is
// written goes through it, so that the line stays below.
type statusLine struct {
	mu   sync.Mutex
	w    io.Writer
	line string
	last record.Status
}

// clearLine goes to the first column and clears what stands right of it.
const clearLine = "\r\x1b[K"

// Write puts text above the line.
func (l *statusLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == "" {
		return l.w.Write(p)
	}
	if _, err := io.WriteString(l.w, clearLine); err != nil {
		return 0, err
	}
	n, err := l.w.Write(p)
	if err == nil {
		_, err = io.WriteString(l.w, l.line)
	}
	return n, err
}

// watch shows rates since the last status.
func (l *statusLine) watch(s record.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	span := s.Time.Sub(l.last.Time)
	if l.last.Time.IsZero() {
		span = s.Running
	}
	seconds := max(span, time.Millisecond).Seconds()
	l.line = fmt.Sprintf("mayfly: %s  %.0f events/s  %.0f calls/s  %d containers  %d lost  %s",
		s.Running.Truncate(time.Second), float64(s.Events-l.last.Events)/seconds,
		float64(s.Calls-l.last.Calls)/seconds, s.Containers, sum(s.Lost), byteText(s.Read))
	l.last = s
	fmt.Fprint(l.w, clearLine, l.line)
}

// end takes the line away.
func (l *statusLine) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != "" {
		fmt.Fprint(l.w, clearLine)
		l.line = ""
	}
}
