package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go"

	"mayfly/feature"
	"mayfly/trace"
)

// Parquet that came from somewhere is read once in a process of its own, with
// limits that the kernel holds, before anything else reads it: a file that kills
// its reader, or asks for too much, costs that file.

// Kinds of Parquet file.
const (
	parquetTrace    = "trace"    // a file of a trace
	parquetFeatures = "features" // windows
	parquetOther    = "parquet"  // of another program
)

// checkRequest asks for one file, checkReply answers; each is a line of JSON.
type checkRequest struct {
	Path   string
	Limits Limits
}

type checkReply struct {
	Kind  string
	Error string
}

// ServeChecks is the process that reads untrusted Parquet: a request on each line
// of in, a reply on each of out. It gives up what it will not need before it
// reads the first file.
func ServeChecks(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	confined := false
	for lines.Scan() {
		var q checkRequest
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		q.Limits = q.Limits.orDefaults()
		if !confined {
			if err := confine(&q.Limits); err != nil {
				return err
			}
			confined = true
		}
		if err := allowCPU(q.Limits.CPUSeconds); err != nil {
			return err
		}
		var reply checkReply
		var err error
		if reply.Kind, err = readThroughFile(q.Path, q.Limits); err != nil {
			reply.Error = err.Error()
		}
		line, err := json.Marshal(reply)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return lines.Err()
}

// readThroughFile reads every value of a Parquet file and says of what kind it is.
func readThroughFile(path string, l Limits) (kind string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged: %v", r)
		}
	}()
	limits := trace.Limits{Columns: l.Columns, GroupRows: l.GroupRows, PageBytes: l.PageBytes}
	f, err := trace.OpenParquet(path, nil, limits)
	if err != nil {
		if strings.Contains(err.Error(), "column ") { // of a type that no trace has
			return parquetOther, readForeign(path)
		}
		return "", err
	}
	kind = parquetOther
	if _, ok := f.Metadata()["mayfly.schema"]; ok {
		kind = parquetTrace
	} else if _, ok := f.Metadata()[feature.MetaSchema]; ok {
		kind = parquetFeatures
	}
	for rec, err := range f.Records(context.Background()) {
		if err != nil {
			return kind, errors.Join(err, f.Close())
		}
		rec.Release()
	}
	return kind, f.Close()
}

// readForeign reads every page as parquet-go does it.
func readForeign(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	f, err := parquet.OpenFile(in, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	for _, group := range f.RowGroups() {
		for _, chunk := range group.ColumnChunks() {
			if err := readPages(chunk.Pages()); err != nil {
				return err
			}
		}
	}
	return nil
}

func readPages(pages parquet.Pages) error {
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return pages.Close()
		}
		if err != nil {
			return errors.Join(err, pages.Close())
		}
		r := page.Values()
		for err == nil {
			_, err = r.ReadValues(values)
		}
		parquet.Release(page)
		if !errors.Is(err, io.EOF) {
			return errors.Join(err, pages.Close())
		}
	}
}

// checker has files read by another process. It starts one when it needs it, and
// another one when that died.
type checker struct {
	begin  func(context.Context) *exec.Cmd // what runs ServeChecks; nil checks nothing
	limits Limits
	read   func(bytes int64) // is told of files that were read; nil is not

	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *lastWords
}

// errDied says that a file ended its reader.
var errDied = errors.New("ended the process that read it")

// check reads one file; kind is "" where nothing is checked. A process that dies after
// it read other files may have died of them: the file is then read once more, alone.
func (c *checker) check(ctx context.Context, path string) (kind string, err error) {
	if c.begin == nil {
		return "", nil
	}
	used := c.cmd != nil
	reply, err := c.ask(ctx, path)
	if used && errors.Is(err, errDied) {
		reply, err = c.ask(ctx, path)
	}
	switch {
	case err != nil:
		return "", err
	case reply.Error != "":
		return reply.Kind, errors.New(reply.Error)
	}
	if info, err := os.Stat(path); err == nil && c.read != nil {
		c.read(info.Size())
	}
	return reply.Kind, nil
}

// ask has the process read one file, a new one where there is none. Its error is
// errDied where the process gave no answer.
func (c *checker) ask(ctx context.Context, path string) (reply checkReply, err error) {
	if c.cmd == nil {
		if err := c.start(ctx); err != nil {
			return reply, fmt.Errorf("the process that reads untrusted files: %w", err)
		}
	}
	q, err := json.Marshal(checkRequest{path, c.limits})
	if err != nil {
		return reply, err
	}
	// A reader that sleeps takes no processor time; it is given time enough.
	process := c.cmd.Process
	clock := time.AfterFunc(20*time.Duration(c.limits.CPUSeconds)*time.Second+time.Minute, func() { _ = process.Kill() })
	defer clock.Stop()
	_, writeErr := c.in.Write(append(q, '\n'))
	line, err := c.out.ReadBytes('\n')
	if err = errors.Join(writeErr, err); err != nil {
		words := c.end()
		if ctx.Err() != nil {
			return reply, ctx.Err()
		}
		return reply, fmt.Errorf("%s: %w: %s", path, errDied, words)
	}
	return reply, json.Unmarshal(line, &reply)
}

func (c *checker) start(ctx context.Context) error {
	cmd := c.begin(ctx)
	c.stderr = &lastWords{}
	cmd.Stderr = c.stderr
	if cmd.Env == nil {
		cmd.Env = []string{"GOTRACEBACK=none"} // nothing of ours is its business
	}
	dieWithParent(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.in, c.out = cmd, in, bufio.NewReader(out)
	return nil
}

// end waits for the process and returns how it ended.
func (c *checker) end() string {
	if c.cmd == nil {
		return ""
	}
	_ = c.in.Close()
	err := c.cmd.Wait()
	c.cmd = nil
	words := c.stderr.first()
	switch {
	case err == nil:
		return words
	case words == "":
		return err.Error()
	}
	return fmt.Sprintf("%v: %s", err, words)
}

// lastWords keeps the begin of what a process says before it dies.
type lastWords struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text.Len() < 4096 {
		w.text.Write(b[:min(len(b), 4096)])
	}
	return len(b), nil
}

func (w *lastWords) first() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	line, _, _ := strings.Cut(strings.TrimSpace(w.text.String()), "\n")
	return line
}
