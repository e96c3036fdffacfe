package object_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// skip says why a test cannot run here; where everything has to run it fails.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("MAYFLY_TEST_MUST_RUN") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// buildGateway builds the S3 server that the tests talk to, once.
var buildGateway = sync.OnceValues(func() (string, error) {
	if built := os.Getenv("MAYFLY_TEST_VERSITYGW"); built != "" {
		return built, nil
	}
	dir, err := os.MkdirTemp("", "versitygw")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "versitygw"), "github.com/versity/versitygw/cmd/versitygw")
	build.Dir = "versitygw"
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.300s", err, text)
	}
	return filepath.Join(dir, "versitygw"), nil
})

// server is a real S3 server with one bucket, "logs", behind a connection that
// can be cut.
type server struct {
	dir   string // where its buckets lie
	query string // of URLs
	cut   atomic.Int64
	cuts  atomic.Int64 // how often it was
}

// url is the URL of a key of the bucket.
func (s *server) url(key string) string { return "s3://logs/" + key + s.query }

func startServer(t *testing.T) *server {
	program, err := buildGateway()
	if err != nil {
		skip(t, "no S3 server: %v", err)
	}
	s := &server{dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	behind := freeAddress(t)
	ctx, stop := context.WithCancel(context.Background())
	gateway := exec.CommandContext(ctx, program, "--access", "mayfly", "--secret", "wingspan", "--port", behind, "--quiet",
		"posix", "--sidecar", t.TempDir(), s.dir)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	gateway.Stdout, gateway.Stderr = log, log
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = gateway.Wait(); _ = log.Close() })
	front := s.forward(t, behind)
	s.query = "?region=us-east-1&use_path_style=true&disable_https=true&endpoint=http://" + front
	for range 300 {
		if c, err := net.Dial("tcp", behind); err == nil {
			_ = c.Close()
			return s
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("versitygw does not answer: %s", text)
	return nil
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// forward takes connections to an address, and cuts each after s.cut bytes of
// answer, where that is above 0.
func (s *server) forward(t *testing.T, to string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = front.Close() }()
				back, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer func() { _ = back.Close() }()
				go func() { _, _ = io.Copy(back, front); _ = back.(*net.TCPConn).CloseWrite() }()
				if most := s.cut.Load(); most > 0 {
					if n, _ := io.CopyN(front, back, most); n == most {
						s.cuts.Add(1)
					}
					return
				}
				_, _ = io.Copy(front, back)
			}()
		}
	}()
	return l.Addr().String()
}

// credentials are the server's.
func credentials(t *testing.T) {
	noCredentials(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "mayfly")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wingspan")
}

// noCredentials hides what the machine may have.
func noCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("HOME", filepath.Dir(none))
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}
