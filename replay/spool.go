package replay

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"mayfly/detector"
	"mayfly/sink"

	"github.com/google/renameio/v2"
)

// spool keeps findings, in the form that is asked for, in a temporary file that has
// no name any more, until it is certain that the run succeeds.
type spool struct {
	encoder sink.Encoder
	begun   bool
	file    *os.File
	line    []byte
}

func (s *spool) add(f *detector.Finding) (err error) {
	if s.line, err = s.encoder.Append(s.begin(), f); err != nil {
		return err
	}
	return s.write(s.line)
}

// end writes what closes the findings; nothing is added after it.
func (s *spool) end() error {
	s.line = s.encoder.End(s.begin())
	return s.write(s.line)
}

// begin returns the line's room, with what stands before all findings in it when
// nothing has been written.
func (s *spool) begin() []byte {
	if s.begun {
		return s.line[:0]
	}
	s.begun = true
	return s.encoder.Begin(s.line[:0])
}

func (s *spool) write(content []byte) (err error) {
	if len(content) == 0 {
		return nil
	}
	if s.file == nil {
		if s.file, err = os.CreateTemp("", "mayfly-findings-"); err != nil {
			return fmt.Errorf("findings: %w", err)
		}
		if err := os.Remove(s.file.Name()); err != nil {
			return fmt.Errorf("findings: %w", err)
		}
	}
	if _, err := s.file.Write(content); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	return nil
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// copy writes all findings.
func (s *spool) copy(to io.Writer) error {
	if s.file == nil {
		return nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(to, s.file)
	return err
}

// replace makes the findings the whole content of a file, at once.
func (s *spool) replace(path string) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600))
	if err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	defer func() { _ = f.Cleanup() }()
	if err := s.copy(f); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("findings: %w", err)
	}
	return nil
}

// length is how long a file is, 0 when there is none.
func length(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// appendAt writes the findings into a file at an offset, after cutting off what a
// run that was killed left there, and returns where they end. A file that is
// shorter than it was (someone rotated it) is appended to at its end. After an
// error it is as long as it was, and gone when it was not there.
func (s *spool) appendAt(path string, offset int64) (end int64, err error) {
	_, missing := os.Lstat(path)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	offset = min(offset, info.Size())
	if err := f.Truncate(offset); err != nil {
		return 0, err
	}
	defer func() {
		if err == nil {
			return
		}
		if errors.Is(missing, fs.ErrNotExist) {
			_ = os.Remove(path) // the first error is the one to tell
		} else {
			_ = os.Truncate(path, offset)
		}
	}()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	if err := s.copy(f); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if end, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, err
	}
	return end, f.Close()
}
