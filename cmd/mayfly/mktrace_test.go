package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"mayfly/trace"
)

// traceStartNS is when the traces of mktrace begin: 2023-11-14T22:13:20Z.
const traceStartNS = int64(1_700_000_000e9)

// mktrace is a program for scripts: "mktrace DIR SECONDS [ATTACK [GAP [KILLED]]]" writes a trace
// of three web servers, the same one for the same arguments. In second ATTACK (-1: none) a
// shell comes out of web-3, whose id is cc…. In second GAP the recorder was down. With
// KILLED it leaves its rows in a journal, as a recorder does that is killed. SECONDS 0 makes an empty trace.
func mktrace() {
	if err := runMktrace(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mktrace:", err)
		os.Exit(1)
	}
}

func runMktrace(args []string) error {
	if len(args) < 2 {
		return errors.New("want DIR SECONDS [ATTACK [GAP [KILLED]]]")
	}
	numbers := []int{0, -1, -1, 0}
	for i, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	meta := trace.Meta{Host: "host-1", Arch: "amd64", Kernel: "6.1.0", Recorder: "mktrace", Source: "test"}
	events, sequences, containers := webTrace(numbers[0], numbers[1])
	losses := []trace.Loss{{FromNS: traceStartNS, ToNS: traceStartNS + 1e9, ContainerID: webID(0), Class: trace.LossEvents, Produced: 9, Lost: 2}}
	if gap := int64(numbers[2]); gap >= 0 {
		losses = append(losses, trace.Loss{FromNS: traceStartNS + gap*1e9, ToNS: traceStartNS + gap*1e9 + 5e8, Class: trace.LossGap})
	}
	if len(args) == 5 {
		r, _, err := trace.OpenRecording(args[0], meta, trace.RecordingOptions{})
		if err != nil {
			return err
		}
		return errors.Join(r.Events(events), r.Sequences(sequences), r.Sync())
	}
	w, err := trace.NewWriter(args[0], meta, trace.DefaultWriterOptions())
	if err != nil {
		return err
	}
	return errors.Join(w.Events(events), w.Sequences(sequences), w.Containers(containers), w.Losses(losses), w.Close())
}

// mkfleet is a program for scripts: "mkfleet DIR HOSTS SECONDS [ATTACK]" writes a trace
// of as many hosts, each as mktrace's. Host I's shell comes out in second ATTACK + I.
func mkfleet() {
	if err := runMkfleet(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mkfleet:", err)
		os.Exit(1)
	}
}

func runMkfleet(args []string) error {
	if len(args) < 3 {
		return errors.New("want DIR HOSTS SECONDS [ATTACK]")
	}
	numbers := []int{0, 0, -1}
	for i, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	for host := range numbers[0] {
		attack := numbers[2]
		if attack >= 0 {
			attack += host
		}
		events, sequences, containers := webTrace(numbers[1], attack)
		w, err := trace.NewWriter(args[0], trace.Meta{Host: fmt.Sprintf("node-%02d", host), Arch: "amd64", Recorder: "mkfleet", Source: "test"}, trace.DefaultWriterOptions())
		if err != nil {
			return err
		}
		if err := errors.Join(w.Events(events), w.Sequences(sequences), w.Containers(containers), w.Close()); err != nil {
			return err
		}
	}
	return nil
}

func webID(c int) string { return strings.Repeat(string(rune('a'+c)), 64) }

// webTrace makes the rows: each second each server serves some requests.
func webTrace(seconds, attack int) (events []trace.Event, sequences []trace.Sequence, containers []trace.Container) {
	r := rand.New(rand.NewPCG(7, 8))
	for c := range 3 {
		containers = append(containers, trace.Container{TimeNS: traceStartNS, ContainerID: webID(c), CgroupID: uint64(c + 1),
			Runtime: "docker", Name: fmt.Sprintf("web-%d", c+1), Image: "registry.example/shop:1.2"})
	}
	for s := range seconds {
		for c := range 3 {
			at := traceStartNS + int64(s)*1e9 + int64(c)*1e6
			base := trace.Event{TimeNS: at, ContainerID: webID(c), CgroupID: uint64(c + 1), PID: int32(100 + c), TID: int32(100 + c),
				Comm: "shop", Exe: "/usr/bin/shop", Ret: new(int64(0))}
			open := base
			open.Kind, open.Path, open.Flags = string(trace.FileOpen), fmt.Sprintf("/srv/page-%c.html", 'a'+r.IntN(4)), new(int64(0))
			events = append(events, open)
			var calls []uint16
			for range 8 + r.IntN(8) {
				calls = append(calls, 232, 288, 0, 257, 0, 1, 3, 3) // epoll_wait accept4 read openat read write close close
			}
			if s == attack && c == 2 {
				events = append(events, shellEvents(base)...)
				calls = append(calls, 56, 61, 59, 12, 158, 21, 257, 5, 9, 9, 3, 42, 33, 33, 33)
			}
			sequences = append(sequences, trace.Sequence{TimeNS: at, SpanNS: 5e8, ContainerID: webID(c), CgroupID: uint64(c + 1),
				PID: int32(100 + c), TID: int32(100 + c), Comm: "shop", Chunk: int64(s), Calls: calls})
		}
		host := trace.Event{TimeNS: traceStartNS + int64(s)*1e9 + 5e6, Kind: string(trace.Fork), PID: 1, TID: 1}
		events = append(events, host)
	}
	return events, sequences, containers
}

// shellEvents are a shell that reads a secret and calls back.
func shellEvents(base trace.Event) []trace.Event {
	exec, open, connect := base, base, base
	exec.Kind, exec.Path, exec.Argv, exec.ExeOrigin = string(trace.Exec), "/bin/sh", []string{"sh", "-i"}, trace.OriginImage
	open.Kind, open.Path, open.Flags = string(trace.FileOpen), "/etc/shadow", new(int64(0))
	connect.Kind, connect.Family, connect.Addr, connect.Port = string(trace.Connect), "inet", "10.0.0.66", new(int64(4444))
	return []trace.Event{exec, open, connect}
}
