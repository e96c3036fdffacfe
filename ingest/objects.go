package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mayfly/trace"
)

// Objects of s3://, gs:// and azblob:// come through the program mayfly-object
// (its page says what the two say to each other), for the clients of these stores
// weigh more than mayfly. An object goes to a file without a name first, so that a
// connection that breaks costs that object and leaves nothing half-taken.

// objectInfo is what a store says of an object: what is taken once is its version.
type objectInfo struct {
	URL     string
	Name    string // below the folder that was listed
	Size    int64
	ModTime time.Time
	Version string // differs when the content does; "" is not known
}

// objectRequest and objectReply are lines of JSON.
type objectRequest struct {
	List string      `json:"list,omitempty"`
	Read *objectInfo `json:"read,omitempty"`
}

type objectReply struct {
	Object *objectInfo `json:"object"`
	Bytes  int64       `json:"bytes"`
	End    bool        `json:"end"`
	Error  string      `json:"error"`
}

// objects is the stores, by a process that is started when it is needed.
type objects struct {
	begin func(context.Context) (*exec.Cmd, error) // mayfly-object; nil reads no objects

	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *lastWords
}

// isRemote reports whether an argument is the URL of an object store.
func isRemote(arg string) bool {
	scheme, _, ok := strings.Cut(arg, "://")
	return ok && slices.Contains([]string{"s3", "gs", "azblob"}, scheme)
}

// list returns what a URL stands for: one object, or those of a folder.
func (o *objects) list(ctx context.Context, url string) ([]objectInfo, error) {
	var all []objectInfo
	err := o.ask(ctx, url, &objectRequest{List: url}, func(r *objectReply) error {
		if r.Object == nil {
			return errors.New("mayfly-object sent no object")
		}
		all = append(all, *r.Object)
		return nil
	})
	return all, err
}

// read copies an object's content. The error is the object's, or w's.
func (o *objects) read(ctx context.Context, info *objectInfo, w io.Writer) error {
	left := info.Size
	err := o.ask(ctx, info.URL, &objectRequest{Read: info}, func(r *objectReply) error {
		if left -= r.Bytes; r.Bytes <= 0 || left < 0 {
			return errors.New("mayfly-object sent another size")
		}
		_, err := io.CopyN(w, o.out, r.Bytes)
		return err
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("%s: %w", info.URL, io.ErrUnexpectedEOF)
	}
	return err
}

// ask sends a request and takes the lines of its answer.
func (o *objects) ask(ctx context.Context, url string, q *objectRequest, take func(*objectReply) error) error {
	if o.begin == nil {
		return fmt.Errorf("%s: object stores are not read here", url)
	}
	if o.cmd == nil {
		if err := o.start(ctx); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	line, err := json.Marshal(q)
	if err == nil {
		_, err = o.in.Write(append(line, '\n'))
	}
	for err == nil {
		var answer []byte
		if answer, err = o.out.ReadBytes('\n'); err != nil {
			break
		}
		var r objectReply
		if err = json.Unmarshal(answer, &r); err != nil {
			break
		}
		switch {
		case r.Error != "":
			return errors.New(r.Error) // names the URL
		case r.End:
			return nil
		}
		err = take(&r)
	}
	if ctx.Err() != nil {
		_ = o.end()
		return ctx.Err()
	}
	// The rest of an answer would be taken for the next one's begin.
	if words := o.end(); words != "" && (errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed)) {
		err = fmt.Errorf("mayfly-object ended: %s", words)
	}
	return fmt.Errorf("%s: %w", url, err)
}

func (o *objects) start(ctx context.Context) error {
	cmd, err := o.begin(ctx)
	if err != nil {
		return err
	}
	o.stderr = &lastWords{}
	cmd.Stderr = o.stderr
	dieWithParent(cmd)
	if o.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	o.cmd, o.out = cmd, bufio.NewReaderSize(out, 1<<18)
	return nil
}

// end lets the process end and returns what it said.
func (o *objects) end() string {
	if o.cmd == nil {
		return ""
	}
	_ = o.in.Close()
	_ = o.cmd.Process.Kill() // it may be in the middle of an answer, and writes nothing of its own
	_ = o.cmd.Wait()
	o.cmd = nil
	return o.stderr.first()
}

// remote takes what a URL stands for.
func (c *converter) remote(u *unpacker, url string) error {
	all, err := c.objects.list(c.ctx, url)
	if err != nil {
		return badArgument{err}
	}
	for i := range all {
		if err := c.object(u, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// object takes one object, where this version of it was not taken before.
func (c *converter) object(u *unpacker, info *objectInfo) error {
	taken := takenObject{URL: info.URL, Version: info.Version, Bytes: info.Size}
	if _, ok := c.ledger.objects[taken]; ok {
		c.used++
		c.report.Known++
		return nil
	}
	f, err := c.spool()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it has no name
	if info.Size > u.limits.Bytes {
		return c.failed(info.URL, fmt.Errorf("%d bytes, more than %d (--max-bytes)", info.Size, u.limits.Bytes))
	}
	if err := c.objects.read(c.ctx, info, f); err != nil {
		return c.failed(info.URL, errors.New(strings.TrimPrefix(err.Error(), info.URL+": ")))
	}
	open := func() (io.ReadCloser, error) {
		return readCloser{io.NewSectionReader(f, 0, info.Size), func() error { return nil }}, nil
	}
	failures, passed := c.failures, c.passed
	if err := u.file(info.URL, path.Base(info.Name), info.Size, open, "", nil); err != nil {
		return err
	}
	if info.Version != "" && c.failures == failures && c.passed == passed {
		c.taken = append(c.taken, taken)
		c.ledger.objects[taken] = struct{}{}
	}
	return nil
}

// fetched is traces that were brought from a store, since windows are made of all
// their files side by side.
type fetched struct {
	url map[string]string // by directory
}

// remove takes them away.
func (f *fetched) remove() {
	for dir := range f.url {
		_ = os.RemoveAll(dir) // beside the output; what is left is named as temporary
	}
}

// named gives an error's text the URL that its file came from.
func (f *fetched) named(err error) error {
	text := err.Error()
	for dir, url := range f.url {
		text = strings.ReplaceAll(text, dir, url)
	}
	if text == err.Error() {
		return err
	}
	return renamed{text, err}
}

type renamed struct {
	text string
	error
}

func (r renamed) Error() string { return r.text }
func (r renamed) Unwrap() error { return r.error }

// fetch makes paths of file:// URLs, and brings the traces that lie in stores. Other
// URLs stay, for Convert.
func (o *Options) fetch(ctx context.Context, paths []string, objects *objects, near *fetched, report *Report) ([]string, error) {
	var local []string
	for _, arg := range paths {
		path, err := arg, error(nil)
		switch {
		case !isRemote(arg):
			if path, err = localPath(arg); err != nil {
				path, err = arg, nil // Convert says it
			}
		case o.Output != "" && o.Format == "":
			path, err = o.fetchTrace(ctx, arg, objects, near)
		}
		switch {
		case err == nil:
			local = append(local, path)
		case !o.SkipBad || ctx.Err() != nil:
			return nil, err
		default:
			report.Bad = append(report.Bad, BadTrace{arg, err})
		}
	}
	return local, nil
}

// fetchTrace returns where a URL's trace lies now, or the URL where it is none.
func (o *Options) fetchTrace(ctx context.Context, url string, objects *objects, near *fetched) (string, error) {
	all, err := objects.list(ctx, url)
	if err != nil {
		return "", err
	}
	one := len(all) == 1 && strings.HasSuffix(all[0].Name, ".parquet") && !strings.Contains(all[0].Name, "/") && filepath.IsLocal(all[0].Name)
	all = slices.DeleteFunc(all, func(i objectInfo) bool { return !one && !ofTrace(i.Name) })
	if len(all) == 0 {
		return url, nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(o.Output), "."+filepath.Base(o.Output)+".*.tmp")
	if err != nil {
		return "", err
	}
	near.url[dir] = strings.TrimSuffix(url, "/")
	left := o.Limits.orDefaults().Bytes
	for i := range all {
		if left -= all[i].Size; left < 0 {
			return "", fmt.Errorf("%s: more bytes than --max-bytes allows", url)
		}
		if err := objects.fetch(ctx, &all[i], filepath.Join(dir, filepath.FromSlash(all[i].Name))); err != nil {
			return "", err
		}
	}
	if one {
		return filepath.Join(dir, all[0].Name), nil
	}
	return dir, nil
}

// ofTrace reports whether a name below a folder is that of a trace's file.
func ofTrace(name string) bool {
	table, rest, ok := strings.Cut(name, "/")
	return ok && filepath.IsLocal(filepath.FromSlash(name)) && filepath.IsLocal(filepath.FromSlash(rest)) &&
		(slices.Contains(trace.Tables(), trace.Table(table)) && strings.HasSuffix(rest, ".parquet") || table == "journal")
}

// fetch copies an object to a new file.
func (o *objects) fetch(ctx context.Context, info *objectInfo, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(o.read(ctx, info, f), f.Close())
}
