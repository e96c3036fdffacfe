package object

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
)

// What tells two contents of one key apart, as each store says it in a list, of
// an object that is asked for, and of one that is read: it has to be the same text
// in all three.

func listedVersion(o *blob.ListObject) string {
	var (
		s3Object types.Object
		gcs      storage.ObjectAttrs
		azure    container.BlobItem
		file     fs.FileInfo
	)
	switch {
	case o.As(&s3Object):
		return etag(s3Object.ETag)
	case o.As(&gcs):
		return strconv.FormatInt(gcs.Generation, 10)
	case o.As(&azure) && azure.Properties != nil:
		return etag((*string)(azure.Properties.ETag))
	case o.As(&file):
		return fileVersion(file.ModTime(), file.Size())
	}
	return ""
}

func statedVersion(a *blob.Attributes) string {
	var (
		gcs  storage.ObjectAttrs
		file fs.FileInfo
	)
	switch {
	case a.As(&gcs):
		return strconv.FormatInt(gcs.Generation, 10)
	case a.As(&file):
		return fileVersion(file.ModTime(), file.Size())
	}
	return etag(&a.ETag)
}

func readVersion(r *blob.Reader) string {
	var (
		s3Object s3.GetObjectOutput
		gcs      *storage.Reader
		azure    azblob.DownloadStreamResponse
	)
	switch {
	case r.As(&s3Object):
		return etag(s3Object.ETag)
	case r.As(&gcs):
		return strconv.FormatInt(gcs.Attrs.Generation, 10)
	case r.As(&azure):
		return etag((*string)(azure.ETag))
	}
	return fileVersion(r.ModTime(), r.Size())
}

func etag(text *string) string {
	if text == nil {
		return ""
	}
	return strings.Trim(*text, `"`) // Azure's lists have no quotes
}

func fileVersion(modTime time.Time, size int64) string {
	return fmt.Sprintf("%d-%d", modTime.UnixNano(), size)
}
