package runtimes

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"mayfly/trace"
)

// How long to wait before a runtime is asked again, and before sockets are
// looked for again.
const (
	backOffMin = time.Second
	backOffMax = 30 * time.Second
	lookAgain  = 5 * time.Second
)

// errNotServed is of a socket that answers, and does not speak the API.
var errNotServed = errors.New("does not serve this API")

// follower asks one runtime until it fails or ctx ends. connected is called
// when the runtime has answered.
type follower interface {
	follow(ctx context.Context, connected func()) error
	close()
}

// Watch sends facts until ctx ends. It returns at once. The channel is not closed.
func Watch(ctx context.Context, sources []Source, facts chan<- *trace.Container, log *slog.Logger) {
	go func() {
		watched := map[string]bool{}
		for {
			for _, pattern := range sources {
				for _, s := range present(pattern) {
					if !watched[s.String()] {
						watched[s.String()] = true
						go watch(ctx, s, facts, log.With("runtime", s.String()))
					}
				}
			}
			if !sleep(ctx, lookAgain) {
				return
			}
		}
	}()
}

// watch asks one runtime for as long as ctx lives.
func watch(ctx context.Context, s Source, facts chan<- *trace.Container, log *slog.Logger) {
	sink := sink{facts: facts, log: log}
	f, err := newFollower(s, sink)
	if err != nil {
		log.Warn("container runtime cannot be asked", "error", err)
		return
	}
	defer f.close()
	keep(ctx, f, s.pattern, backOffMin, log)
}

// keep asks a runtime again each time that it fails, after least at first and
// longer each time up to backOffMax. found says that the socket was found by its
// path, and may be of something else.
func keep(ctx context.Context, f follower, found bool, least time.Duration, log *slog.Logger) {
	wait, up, told := least, false, false
	for {
		err := f.follow(ctx, func() {
			wait = least
			if !up {
				log.Info("container runtime answers")
			}
			up, told = true, false
		})
		if ctx.Err() != nil {
			return
		}
		switch {
		case errors.Is(err, errNotServed) && found:
			log.Debug("container runtime", "error", err)
			return
		case !told:
			log.Warn("container runtime is away; it is asked again", "error", err)
		default:
			log.Debug("container runtime is away", "error", err)
		}
		up, told = false, true
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, backOffMax)
	}
}

func newFollower(s Source, out sink) (follower, error) {
	switch s.Kind {
	case Containerd:
		return newContainerd(s.Address, out)
	case CRI:
		return newCRI(s.Address, out)
	default:
		return newDocker(s, out)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// sink is where facts go.
type sink struct {
	facts chan<- *trace.Container
	log   *slog.Logger
}

// send passes facts on; of what no cgroup can be named after, nothing.
func (s sink) send(ctx context.Context, c *trace.Container) {
	if len(c.ContainerID) != 64 {
		return
	}
	select {
	case s.facts <- c:
	case <-ctx.Done():
	}
}
