package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// receiver notes what it takes; answer says what it answers to a body.
func receiver(t *testing.T, answer func(body string) int) (*Webhook, *[]string) {
	t.Helper()
	var taken []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s, %v, %v", r.Method, r.Header, err)
		}
		code := answer(string(body))
		if code == http.StatusOK {
			taken = append(taken, strings.TrimSpace(string(body)))
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(s.Close)
	return &Webhook{URL: s.URL}, &taken
}

func outbox(t *testing.T, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "findings.jsonl")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestNothingIsLostWhileTheReceiverIsAway(t *testing.T) {
	away := true
	w, taken := receiver(t, func(body string) int {
		if away && strings.Contains(body, "2") {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	file := outbox(t, "{1}\n{2}\n{3}\n")
	d, err := w.Deliver(context.Background(), file)
	if err == nil || d.Sent != 1 || d.Waiting != 8 {
		t.Fatalf("away: %+v, %v", d, err)
	}
	away = false
	if d, err = w.Deliver(context.Background(), file); err != nil || d.Sent != 2 || d.Waiting != 0 {
		t.Fatalf("back: %+v, %v", d, err)
	}
	if d, err = w.Deliver(context.Background(), file); err != nil || d.Sent != 0 {
		t.Fatalf("once more: %+v, %v", d, err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "{4}\n{half")
	f.Close()
	if d, err = w.Deliver(context.Background(), file); err != nil || d.Sent != 1 || d.Waiting != 5 {
		t.Fatalf("grown: %+v, %v", d, err)
	}
	if want := []string{"{1}", "{2}", "{3}", "{4}"}; !slices.Equal(*taken, want) {
		t.Errorf("got %q, want %q", *taken, want)
	}
}

func TestWhatIsRefusedForGoodDoesNotHoldUpTheRest(t *testing.T) {
	w, taken := receiver(t, func(body string) int {
		if strings.Contains(body, "bad") {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	file := outbox(t, "{bad}\n{good}\n")
	d, err := w.Deliver(context.Background(), file)
	if err != nil || d.Sent != 1 || d.Refused != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	refused, err := os.ReadFile(file + ".refused")
	if err != nil || string(refused) != "{bad}\n" || !slices.Equal(*taken, []string{"{good}"}) {
		t.Errorf("refused %q (%v), taken %q", refused, err, *taken)
	}
}

func TestARotatedFileIsSentFromItsBegin(t *testing.T) {
	w, taken := receiver(t, func(string) int { return http.StatusOK })
	file := outbox(t, "{first}\n{second}\n")
	if _, err := w.Deliver(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("{new}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Deliver(context.Background(), file); err != nil || len(*taken) != 3 {
		t.Errorf("%q, %v", *taken, err)
	}
}

func TestOneDeliveryAtATime(t *testing.T) {
	file := outbox(t, "{1}\n")
	inside := make(chan error, 1)
	var w *Webhook
	w, _ = receiver(t, func(string) int {
		_, err := w.Deliver(context.Background(), file)
		inside <- err
		return http.StatusOK
	})
	if _, err := w.Deliver(context.Background(), file); err != nil {
		t.Fatal(err)
	}
	if err := <-inside; !errors.Is(err, ErrBusy) {
		t.Errorf("a delivery within another: %v", err)
	}
}

// A password in the address is in no message.
func TestSecretsOfTheAddressAreNotTold(t *testing.T) {
	w := &Webhook{URL: "http://user:hunter2@127.0.0.1:1/"}
	_, err := w.Deliver(context.Background(), outbox(t, "{1}\n"))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if err := (&Webhook{URL: "ftp://user:hunter2@x/"}).Check(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestADamagedOffsetIsNamed(t *testing.T) {
	file := outbox(t, "{1}\n")
	if err := os.WriteFile(file+".sent", []byte("many"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &Webhook{URL: "http://127.0.0.1:1/"}
	if _, err := w.Deliver(context.Background(), file); err == nil || !strings.Contains(err.Error(), "findings.jsonl.sent: want how many bytes were sent") {
		t.Errorf("got %v", err)
	}
}
