// Package notebooks holds notebooks that read what mayfly writes and call its
// packages, and the test that executes them.
package notebooks
