package detector

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"mayfly/feature"

	"github.com/google/renameio/v2"
)

// The members of a detector file, in order, and the most bytes that each may hold
// when unpacked. Deflate packs up to a thousand to one, JSON takes thirty times
// its length in memory, and no detector packs better than a few dozen to one: so
// beyond freeBytes a member may hold no more than maxRatio times its packed size.
const (
	manifestName = "manifest.json"
	spaceName    = "space.json"
	forestName   = "forest.bin"

	maxManifest = 256 << 20
	maxSpace    = 256 << 20
	maxForest   = 1 << 30
	maxFile     = 1 << 30

	freeBytes = 16 << 20
	maxRatio  = 100
)

// Save writes the detector to path: beside it first, then by rename, so that no
// reader ever sees half a detector. The same detector gives the same bytes.
func (d *Detector) Save(path string) error {
	packed, err := d.pack()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := renameio.WriteFile(path, packed, 0o644); err != nil {
		return fmt.Errorf("detector: %w", err)
	}
	return nil
}

func (d *Detector) pack() ([]byte, error) {
	manifest, err := json.MarshalIndent(&d.Manifest, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	space, err := json.Marshal(d.Space)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spaceName, err)
	}
	trees, err := d.model.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", forestName, err)
	}
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	for _, member := range []struct {
		name    string
		content []byte
		limit   int
	}{{manifestName, manifest, maxManifest}, {spaceName, space, maxSpace}, {forestName, trees, maxForest}} {
		if len(member.content) > member.limit {
			return nil, fmt.Errorf("%s: %d bytes, more than a detector may have (%d): train on less", member.name, len(member.content), member.limit)
		}
		// No times and no modes: the same content is the same file.
		w, err := archive.CreateHeader(&zip.FileHeader{Name: member.name, Method: zip.Deflate})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", member.name, err)
		}
		if _, err := w.Write(member.content); err != nil {
			return nil, fmt.Errorf("%s: %w", member.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Load reads a detector. Whatever the file holds, it returns a detector that
// scores without a panic, or an error that names the file and the cause.
func Load(path string) (*Detector, error) {
	packed, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("detector: %w", err)
	}
	d, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a folder, want a file that train wrote", path)
	case !info.Mode().IsRegular(): // a pipe would wait for ever, a device never end
		return nil, fmt.Errorf("%s: is no regular file, want one that train wrote", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: %d bytes, more than a detector may have (%d)", path, info.Size(), int64(maxFile))
	}
	return os.ReadFile(path)
}

func unpack(packed []byte) (*Detector, error) {
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, fmt.Errorf("not a detector (or a truncated one): %w", err)
	}
	members := map[string]*zip.File{}
	for _, f := range archive.File {
		if members[f.Name] != nil {
			return nil, fmt.Errorf("%.80q stands in it twice", f.Name)
		}
		members[f.Name] = f
	}
	d := &Detector{Space: new(feature.Space)}
	if err := unpackJSON(members, manifestName, maxManifest, &d.Manifest); err != nil {
		return nil, err
	}
	if err := d.Manifest.check(); err != nil {
		return nil, err
	}
	if err := unpackJSON(members, spaceName, maxSpace, d.Space); err != nil {
		return nil, err
	}
	trees, err := member(members, forestName, maxForest)
	if err != nil {
		return nil, err
	}
	if d.model, err = decodeModel(d.Manifest.Engine, trees); err != nil {
		return nil, fmt.Errorf("%s: %w", forestName, err)
	}
	if err := d.agree(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packed)
	d.sha256 = hex.EncodeToString(sum[:])
	return d, nil
}

// agree checks what only the members together can show.
func (d *Detector) agree() error {
	features := len(d.Space.Features())
	if n := d.model.Features(); n != features {
		return fmt.Errorf("%s: forest over %d features, %s has %d", forestName, n, spaceName, features)
	}
	if n := len(d.Manifest.Expected); n != features {
		return fmt.Errorf("%s: expected ranges of %d features, %s has %d", manifestName, n, spaceName, features)
	}
	if w := d.Manifest.WidthNS; w != d.Space.WidthNS {
		return fmt.Errorf("%s: windows of %d ns, %s was learned from windows of %d ns", manifestName, w, spaceName, d.Space.WidthNS)
	}
	return nil
}

func unpackJSON(members map[string]*zip.File, name string, limit int64, into any) error {
	content, err := member(members, name, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// member unpacks one member. The size that the archive claims is not believed:
// reading stops at the limit, and memory grows with what is really there.
func member(members map[string]*zip.File, name string, limit int64) ([]byte, error) {
	f := members[name]
	if f == nil {
		return nil, fmt.Errorf("not a detector: no %s in it", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	if packed := int64(min(f.CompressedSize64, maxFile)); limit > max(freeBytes, packed*maxRatio) {
		limit = max(freeBytes, packed*maxRatio)
	}
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes when unpacked", name, limit)
	}
	return content, nil
}

// SHA256 is the hash of the file that the detector was loaded from, in hex; of
// the file that Save would write when it was not loaded.
func (d *Detector) SHA256() (string, error) {
	if d.sha256 != "" {
		return d.sha256, nil
	}
	packed, err := d.pack()
	if err != nil {
		return "", fmt.Errorf("detector: %w", err)
	}
	sum := sha256.Sum256(packed)
	return hex.EncodeToString(sum[:]), nil
}
