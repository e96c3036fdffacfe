//go:build !amd64

package record

import "errors"

func childCompat(string) error { return errors.New("no 32-bit table") }
