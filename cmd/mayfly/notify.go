package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"mayfly/record"
)

// notifier tells systemd how a recording is doing (sd_notify(3)). Outside of a
// unit of Type=notify it says nothing. The watchdog is fed by the goroutine that
// reads the rings: a recorder that hangs is started anew.
type notifier struct {
	send      func(state string)
	watchdog  time.Duration // between two signs of life; 0: nobody waits for them
	alive     time.Time
	described time.Time
}

// statusEvery is how often systemctl status has something new to show.
const statusEvery = 10 * time.Second

func newNotifier() *notifier {
	n := &notifier{send: func(state string) { _, _ = daemon.SdNotify(false, state) }} // nobody to tell
	if limit, err := daemon.SdWatchdogEnabled(false); err == nil {
		n.watchdog = limit / 3
	}
	return n
}

func (n *notifier) ready() { n.send(daemon.SdNotifyReady + "\nSTATUS=recording") }

func (n *notifier) stopping() { n.send(daemon.SdNotifyStopping + "\nSTATUS=writing what is left") }

func (n *notifier) watch(s record.Status) {
	var state []string
	if n.watchdog > 0 && s.Time.Sub(n.alive) >= n.watchdog {
		n.alive = s.Time
		state = append(state, daemon.SdNotifyWatchdog)
	}
	if s.Time.Sub(n.described) >= statusEvery {
		n.described = s.Time
		state = append(state, "STATUS="+describeStatus(s))
	}
	if len(state) > 0 {
		n.send(strings.Join(state, "\n"))
	}
}

// describeStatus is a recording in one line.
func describeStatus(s record.Status) string {
	return fmt.Sprintf("%d containers, %d events, %d calls, lost %d of %d records, %s read, %d times sealed",
		s.Containers, s.Events, s.Calls, sum(s.Lost), sum(s.Produced), byteText(s.Read), s.Seals)
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// byteText is a number of bytes with three digits or so: 12.3 MB.
func byteText(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f >= 1000 && unit < 5 {
		f, unit = f/1000, unit+1
	}
	return fmt.Sprintf("%.3g %cB", f, " kMGTP"[unit])
}
