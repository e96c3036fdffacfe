package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// scripted is a runtime that answers ("up") or does not, once per step.
type scripted struct {
	steps []string
	stop  func()
}

func (s *scripted) close() {}
func (s *scripted) follow(ctx context.Context, connected func()) error {
	if len(s.steps) == 0 {
		s.stop()
		return ctx.Err()
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	switch step {
	case "up":
		connected()
	case "other":
		return fmt.Errorf("%w: no such service", errNotServed)
	}
	return errors.New("gone")
}

// TestKeep wants a runtime's going and coming to be told once each.
func TestKeep(t *testing.T) {
	for _, tt := range []struct {
		steps string
		found bool
		want  string
	}{
		{"down down down", false, "away"},
		{"up down down up down", false, "answers away answers away"},
		{"down up", true, "away answers away"},
		{"up up", false, "answers away answers away"},
		{"other up", true, ""},
		{"other up", false, "away answers away"},
	} {
		ctx, stop := context.WithCancel(t.Context())
		var log bytes.Buffer
		keep(ctx, &scripted{strings.Fields(tt.steps), stop}, tt.found, time.Microsecond, slog.New(slog.NewTextHandler(&log, nil)))
		stop()
		var got []string
		for line := range strings.Lines(log.String()) {
			for _, word := range []string{"answers", "away"} {
				if strings.Contains(line, word) {
					got = append(got, word)
				}
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: told %q, want %q", tt.steps, got, tt.want)
		}
	}
}
