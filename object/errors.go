package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"

	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"
)

// Error is what went wrong with an object or bucket, in one line. It matches
// fs.ErrNotExist and fs.ErrPermission where it is that, and what the store said.
type Error struct {
	URL    string
	Reason string
	Err    error // nil: Reason is all
	may    bool  // pass by itself
}

func (e *Error) Error() string {
	return oneLine(e.URL) + ": " + oneLine(e.Reason)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// oneLine keeps a text that a server or a key chose on its line.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// mayPass reports whether trying again may help.
func mayPass(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.may
}

// failed says what went wrong with the object or bucket at a location. The
// clients' own texts go on over several lines, with all that they tried.
func (l location) failed(err error) error {
	e := &Error{URL: l.text, Err: err}
	var (
		known   *Error
		network *net.OpError
		name    *net.DNSError
		api     smithy.APIError
	)
	scheme, _, _ := strings.Cut(l.bucket, ":")
	code, text := gcerrors.Code(err), err.Error()
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(text, "blob (") {
		text = inner.Error()
	}
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Reason = "given up: " + text
	case errors.Is(err, ErrChanged):
		e.Reason = ErrChanged.Error()
	case noCredentials(text):
		e.Reason, e.Err = "no credentials: "+credentials[scheme], fs.ErrPermission
	case strings.Contains(text, "Invalid region"):
		e.Reason = "no region: want AWS_REGION, or ?region="
	case strings.Contains(text, "NoSuchBucket"), strings.Contains(text, "ContainerNotFound"), strings.Contains(text, "bucket doesn't exist"):
		e.Reason, e.Err = "no such bucket", fs.ErrNotExist
	case code == gcerrors.NotFound:
		e.Reason, e.Err = "no such object", fs.ErrNotExist
	case errors.As(err, &name):
		e.Reason, e.may = name.Error(), true
	case errors.As(err, &network):
		e.Reason, e.may = network.Error(), true
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Reason, e.may = "the connection ended in the middle", true
	case errors.As(err, &api):
		e.Reason, e.may = fmt.Sprintf("the server says %s: %s", api.ErrorCode(), api.ErrorMessage()), api.ErrorFault() == smithy.FaultServer
		if code == gcerrors.PermissionDenied {
			e.Err = fs.ErrPermission
		}
	case code == gcerrors.PermissionDenied:
		e.Reason, e.Err = "no permission: "+text, fs.ErrPermission
	default:
		e.Reason, e.may = text, code == gcerrors.Unknown || code == gcerrors.Internal || code == gcerrors.ResourceExhausted
	}
	return e
}

// credentials says where those of each scheme are looked for.
var credentials = map[string]string{
	"s3":     "want AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, ~/.aws, or ?anonymous=true",
	"gs":     "want the file of GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
	"azblob": "want AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN",
}

func noCredentials(text string) bool {
	for _, part := range []string{
		"failed to refresh cached credentials", "get credentials:", "static credentials are empty", // s3
		"could not find default credentials", "private key should be a PEM", // gs
		"DefaultAzureCredential: failed", "AccountName is required", // azblob
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
