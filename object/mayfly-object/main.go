// Command mayfly-object reads objects for mayfly, which starts it where an input
// is the URL of an object store. It is a program and a module of its own because
// the clients of the stores weigh more than mayfly.
//
//	mayfly-object
//
// Requests come on standard input, a line of JSON each, and are answered on
// standard output, one after the other:
//
//	{"list":"s3://logs/2026/"}   a line {"object":{…}} for each object
//	{"read":{…}}                 with such an object: lines {"bytes":n}, each with n bytes of it after it
//
// An answer ends with the line {"end":true}, or {"error":"…"} where it is not
// complete. The program ends with its standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"mayfly/object"
)

type request struct {
	List string       `json:"list"`
	Read *object.Info `json:"read"`
}

type reply struct {
	Object *object.Info `json:"object,omitempty"`
	Bytes  int          `json:"bytes,omitempty"`
	End    bool         `json:"end,omitempty"`
	Error  string       `json:"error,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "mayfly: mayfly-object takes no arguments; mayfly ingest starts it for URLs of object stores")
		os.Exit(2)
	}
	if err := serve(ctx, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mayfly: mayfly-object:", err)
		os.Exit(1)
	}
}

// serve answers requests until in ends. The error is one of in or out.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	store := object.NewStore()
	defer func() { _ = store.Close() }() // all is read
	s := session{store, json.NewDecoder(in), bufio.NewWriterSize(out, 1<<18)}
	for {
		var q request
		if err := s.in.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		err := s.answer(ctx, &q)
		var lost writeError
		if errors.As(err, &lost) {
			return lost.error
		}
		last := reply{End: true}
		if err != nil {
			last = reply{Error: err.Error()}
		}
		if err := errors.Join(s.say(last), s.out.Flush()); err != nil {
			return err
		}
	}
}

type session struct {
	store *object.Store
	in    *json.Decoder
	out   *bufio.Writer
}

// writeError is one of the answer's way, not of the answer.
type writeError struct{ error }

func (s *session) say(r reply) error {
	line, err := json.Marshal(r)
	if err == nil {
		_, err = s.out.Write(append(line, '\n'))
	}
	if err != nil {
		return writeError{err}
	}
	return nil
}

func (s *session) answer(ctx context.Context, q *request) error {
	switch {
	case q.Read != nil:
		o, err := s.store.Listed(ctx, *q.Read)
		if err != nil {
			return err
		}
		return s.copy(ctx, o)
	case q.List != "":
		for info, err := range s.store.List(ctx, q.List) {
			if err != nil {
				return err
			}
			if err := s.say(reply{Object: &info}); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("want list or read")
}

// copy sends the content of an object.
func (s *session) copy(ctx context.Context, o *object.Object) error {
	r := o.NewReader(ctx, 0, -1)
	defer func() { _ = r.Close() }() // only read
	buf := make([]byte, 1<<18)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := s.say(reply{Bytes: n}); err != nil {
				return err
			}
			if _, err := s.out.Write(buf[:n]); err != nil {
				return writeError{err}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
