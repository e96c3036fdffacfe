package sink

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-retryablehttp"
)

// Webhook sends findings to a receiver, each as the body of a POST: a JSON object in
// Falco's shape, as Falcosidekick takes it at /.
type Webhook struct {
	URL     string        // http or https
	Header  http.Header   // besides Content-Type; may be nil
	Retries int           // of a request that the receiver did not take, with waits of 1 s doubling up to 30 s
	Timeout time.Duration // of one request; 0: 10 s
}

// Delivery says what became of the findings that waited.
type Delivery struct {
	Sent    int   // taken by the receiver
	Refused int   // that it will never take (a status of 400 to 499, but for 401, 403, 404, 408 and 429, which somebody may mend): in the file .refused
	Waiting int64 // bytes that are still to be sent
}

// maxFinding is the longest line that is sent.
const maxFinding = 4 << 20

// Check says what is wrong with a webhook's address.
func (w *Webhook) Check() error {
	u, err := url.Parse(w.URL)
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("webhook %q: want http://HOST/… or https://HOST/…", u.Redacted())
	}
	return nil
}

// Deliver sends the lines of a findings file from where the last delivery ended, in
// order. The file is the spool: it holds what a receiver that is away has not
// taken. FILE.sent has the offset up to which all was taken; it is written after
// each answer, so that a run that is killed repeats one finding at most (a receiver
// knows it by mayfly.id). A file that is shorter than that offset was rotated, and is
// sent from its begin. A line that the receiver refuses for good goes to
// FILE.refused, and the next is sent.
//
// The error is nil where all was sent or refused. One that is ErrBusy means that
// another delivery of the file is under way.
func (w *Webhook) Deliver(ctx context.Context, file string) (d Delivery, err error) {
	lock, err := os.OpenFile(file+".sent.lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return d, fmt.Errorf("webhook: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return d, fmt.Errorf("webhook: %s: %w", file, ErrBusy)
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("webhook: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return d, fmt.Errorf("webhook: %w", err)
	}
	at, err := readOffset(file + ".sent")
	if err != nil {
		return d, err
	}
	if at > info.Size() {
		at = 0
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return d, fmt.Errorf("webhook: %w", err)
	}
	defer func() { d.Waiting = info.Size() - at }()
	client := w.client()
	lines := bufio.NewReaderSize(io.LimitReader(f, info.Size()-at), 1<<16)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return d, nil // an end without a newline is still being written
		}
		if err != nil {
			return d, fmt.Errorf("webhook: %s: offset %d: %w", file, at, err)
		}
		switch err := w.post(ctx, client, line); {
		case errors.Is(err, errRefused):
			if err := appendLine(file+".refused", line); err != nil {
				return d, fmt.Errorf("webhook: %w", err)
			}
			d.Refused++
		case err != nil:
			return d, fmt.Errorf("webhook: %w", err)
		default:
			d.Sent++
		}
		at += int64(len(line))
		if err := renameio.WriteFile(file+".sent", strconv.AppendInt(nil, at, 10), 0o600); err != nil {
			return d, fmt.Errorf("webhook: %w", err)
		}
	}
}

// ErrBusy is the error where another process is at work with the same file.
var ErrBusy = errors.New("another run is at work with it")

var errRefused = errors.New("refused")

func (w *Webhook) client() *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = w.Retries, time.Second, 30*time.Second
	c.HTTPClient.Timeout = w.Timeout
	if w.Timeout == 0 {
		c.HTTPClient.Timeout = 10 * time.Second
	}
	c.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return c
}

// post sends one finding. errRefused: the receiver will never take it.
func (w *Webhook) post(ctx context.Context, client *retryablehttp.Client, line []byte) error {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, w.URL, line)
	if err != nil {
		return err
	}
	for name, values := range w.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(req)
	if err != nil {
		return withoutSecret(err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // so that the connection serves again
	switch code := answer.StatusCode; {
	case code/100 == 2:
		return nil
	case code/100 == 4 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests &&
		code != http.StatusUnauthorized && code != http.StatusForbidden && code != http.StatusNotFound:
		return errRefused
	default:
		return fmt.Errorf("%s: the receiver answers %s", redacted(w.URL), answer.Status)
	}
}

// withoutSecret is an error of a request with the password of its URL hidden.
func withoutSecret(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("%s: %w", redacted(u.URL), u.Err)
	}
	return err
}

func redacted(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "receiver"
}

// readLine reads a line with its newline.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxFinding {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxFinding)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func readOffset(path string) (int64, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	at, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	if err != nil || at < 0 {
		return 0, fmt.Errorf("webhook: %s: want how many bytes were sent, got %.20q", path, content)
	}
	return at, nil
}

func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Sync(), f.Close())
}
