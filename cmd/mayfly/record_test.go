package main

import (
	"slices"
	"strings"
	"testing"

	"mayfly/record/runtimes"
)

// TestRuntimeSources: a daemon that the docker command finds is one that the
// recorder asks.
func TestRuntimeSources(t *testing.T) {
	const own = "unix:///tmp/d/s"
	usual := runtimes.DefaultSources()
	for _, test := range []struct {
		name, dockerHost string
		flags            []string
		want             []runtimes.Source
		err              string
	}{
		{name: "nothing said"},
		{name: "environment", dockerHost: own, want: append(slices.Clone(usual), runtimes.Source{Kind: "docker", Address: own})},
		{name: "network", dockerHost: "tcp://127.0.0.1:2375", want: append(slices.Clone(usual), runtimes.Source{Kind: "docker", Address: "tcp://127.0.0.1:2375"})},
		{name: "flags come first", dockerHost: own, flags: []string{"podman=/run/p.sock"}, want: []runtimes.Source{{Kind: "podman", Address: "unix:///run/p.sock"}}},
		{name: "cannot be asked", dockerHost: "ssh://host", err: "DOCKER_HOST: runtime \"docker=ssh://host\": want an address"},
		{name: "bad flag", flags: []string{"rkt=/x"}, err: "--runtime \"rkt=/x\": unknown kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := runtimeSources(test.flags, test.dockerHost)
			if test.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.err) {
					t.Fatalf("got %v, want an error %q …", err, test.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("runtimes %q, DOCKER_HOST %q: got %v, %v, want %v", test.flags, test.dockerHost, got, err, test.want)
			}
		})
	}
}
