package trace

// FileError is an error that lies in one file: it cannot be read, or is not what
// it should be. Whoever reads many files may leave that one out and go on.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }
