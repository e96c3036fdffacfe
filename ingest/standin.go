package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	"mayfly/trace"
)

// standIn is the id of a container that stands for what a dataset observes as
// one, a process, a recording or a machine: windows and labels are of containers.
// It is the SHA-256 of the format and the name, so that it is the same each time.
func standIn(format, name string) string {
	sum := sha256.Sum256([]byte(format + "\x00" + name))
	return hex.EncodeToString(sum[:])
}

// StandIn is the id and the name of the container that stands for a file, or a
// machine, of a dataset's format, for who writes labels of it. See standIn.
func StandIn(format, name string) (id, container string) {
	container = standInName(name)
	return standIn(format, container), container
}

// standInName is a file's name without its folders and extension.
func standInName(name string) string {
	base := path.Base(strings.ReplaceAll(name, "\\", "/"))
	return strings.TrimSuffix(base, path.Ext(base))
}

// standInRow is the row of such a container: nothing else is known of it.
func standInRow(id, name string, ns int64) *trace.Container {
	return &trace.Container{TimeNS: ns, ContainerID: id, Name: name, Facts: trace.FactsUnknown}
}
