package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/options/jobopts"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
	"github.com/google/renameio/v2"
)

// staging is the flag of that name.
var staging string

// job is one run of a pipeline and the folder in which its workers leave parts. A
// part has its name from what it is of, and the same bytes whoever makes it: it may
// be made again, and by two workers at once.
type job struct {
	folder string
	result string // of the command: a place in folder that finish writes
}

// newJob makes a folder of the run's own below the flag's, or beside a path.
func newJob(output string) (*job, error) {
	parent := staging
	if parent == "" {
		path, ok := localPath(output)
		if output == "" || !ok {
			return nil, usageErrorf("--staging: want a folder, by path or URL, that all workers reach: only beside an output that is a path there is one by itself")
		}
		parent = filepath.Dir(path)
	}
	parent, err := absolute(parent)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // does not fail
	j := &job{}
	if j.folder, err = below(parent, ".mayfly-beam-"+hex.EncodeToString(id)); err != nil {
		return nil, err
	}
	if dir, ok := localPath(j.folder); ok {
		if err := os.MkdirAll(dir, 0o700); err != nil { // what containers did is not for everybody
			return nil, err
		}
	}
	j.result, err = below(j.folder, "result.json")
	return j, err
}

// run runs a pipeline and reads what its finish has written into result.
func (j *job) run(ctx context.Context, name string, p *beam.Pipeline, stderr io.Writer, result any) error {
	if *jobopts.Async {
		return usageErrorf("%s: --async: the parts are to be removed when the job is done", name)
	}
	if *jobopts.JobName == "" {
		*jobopts.JobName = "mayfly-" + name + "-" + strings.TrimPrefix(path.Base(strings.TrimSuffix(j.folder, "/")), ".mayfly-beam-")
	}
	if err := beamx.Run(ctx, p); err != nil {
		if told := j.told(ctx); told != nil {
			return told
		}
		for _, text := range said.texts {
			fmt.Fprintln(stderr, text)
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%s: the job %s did not succeed: %s", name, *jobopts.JobName, first)
	}
	return readJSON(ctx, j.result, result)
}

// close removes the folder. Workers of a job that has failed may still be at work.
func (j *job) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if dir, ok := localPath(j.folder); ok {
		err := os.RemoveAll(dir)
		for range 10 {
			if err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
			err = os.RemoveAll(dir)
		}
		return err
	}
	return removeObjects(ctx, j.folder)
}

// told is what a partial or finish that failed has told of, or nil.
func (j *job) told(ctx context.Context) error {
	place, err := below(j.folder, failures)
	if err != nil {
		return nil
	}
	var texts []string
	add := func(place string) {
		var text string
		if readJSON(ctx, place, &text) == nil {
			texts = append(texts, text)
		}
	}
	if dir, ok := localPath(place); ok {
		names, _ := filepath.Glob(filepath.Join(dir, "*.json"))
		for _, name := range names {
			add(name)
		}
	} else {
		for info, err := range objects.List(ctx, place) {
			if err != nil {
				break
			}
			add(info.URL)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return errors.New(slices.Min(texts))
}

const failures = "failures"

// step runs one element of a pipeline's function: in and out are JSON. What goes wrong
// is left in the folder too, for engines hand on errors in pages of their own words.
func step[In, Out any](ctx context.Context, folder string, in []byte, do func(context.Context, *In) (*Out, error)) ([]byte, error) {
	return tell(ctx, folder, func() ([]byte, error) {
		var v In
		if err := json.Unmarshal(in, &v); err != nil {
			return nil, err
		}
		out, err := do(ctx, &v)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	})
}

func tell[T any](ctx context.Context, folder string, do func() (T, error)) (T, error) {
	out, err := do()
	if err != nil && ctx.Err() == nil {
		sum := sha256.Sum256([]byte(err.Error()))
		if place, bad := below(folder, path.Join(failures, hex.EncodeToString(sum[:8])+".json")); bad == nil {
			_ = writeJSON(ctx, place, err.Error()) // the error itself is handed on
		}
	}
	return out, err
}

func readJSON(ctx context.Context, place string, v any) error {
	return withInput(ctx, place, func(path string) error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return json.Unmarshal(content, v)
	})
}

func writeJSON(ctx context.Context, place string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return withOutput(ctx, place, func(path string) error {
		// The job's folder is not made anew: the job may be over.
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return renameio.WriteFile(path, content, 0o644)
	})
}

// part is the place of what is made of a unit.
func part(folder, unit, suffix string) (string, error) {
	sum := sha256.Sum256([]byte(unit))
	return below(folder, "part-"+hex.EncodeToString(sum[:16])+suffix)
}

// withInputs is withInput for several places at once.
func withInputs(ctx context.Context, places []string, read func(paths []string) error) error {
	return withScratch(func(dir string) error {
		paths := make([]string, len(places))
		for i, place := range places {
			path, ok := localPath(place)
			if !ok {
				path = filepath.Join(dir, fmt.Sprint(i))
				if err := fetch(ctx, place, path); err != nil {
					return err
				}
			}
			paths[i] = path
		}
		return read(paths)
	})
}

// elements makes a collection of values, each as JSON, parted anew over all workers.
func elements[T any](s beam.Scope, values []T) (beam.PCollection, error) {
	all := make([][]byte, len(values))
	for i := range values {
		content, err := json.Marshal(&values[i])
		if err != nil {
			return beam.PCollection{}, err
		}
		all[i] = content
	}
	return beam.Reshuffle(s, beam.CreateList(s, all)), nil
}

// said holds what Beam has to say, the last of it, from warnings on: it is for people
// who operate the engine, and printed where a job fails and no function has told why.
var said beamLog

type beamLog struct {
	sync.Mutex
	texts []string
}

// Log is called by Beam.
func (l *beamLog) Log(_ context.Context, severity beamlog.Severity, _ int, text string) {
	l.Lock()
	defer l.Unlock()
	if severity >= beamlog.SevWarn {
		const most = 20
		l.texts = append(l.texts[max(0, len(l.texts)-most+1):], text)
	}
}

// newPipeline begins a pipeline.
func newPipeline() (*beam.Pipeline, beam.Scope) {
	beamlog.SetLogger(&said)
	if !beam.Initialized() {
		beam.Init()
	}
	return beam.NewPipelineWithRoot()
}

// gather decodes all states of a group.
func gather[T any](states func(*[]byte) bool) (all []T, err error) {
	var content []byte
	for states(&content) {
		var state T
		if err := json.Unmarshal(content, &state); err != nil {
			return nil, err
		}
		all = append(all, state)
	}
	return all, nil
}
