package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// liveDemo is mayfly demo --live: shops in containers of this host, recorded, learned,
// attacked and found. Everything it starts has the label liveLabel.
type liveDemo struct {
	out            string
	seconds        int // of normal time to learn from
	stdout, stderr io.Writer
	self           string // this program
	image          string
}

const (
	liveLabel = "mayfly-demo=live"
	liveShops = 3
)

func runDemoLive(ctx context.Context, out string, seconds int, stdout, stderr io.Writer) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	d := &liveDemo{out: out, seconds: seconds, stdout: stdout, stderr: stderr, self: self, image: "mayfly-demo-live:" + fmt.Sprint(os.Getpid())}
	if err := d.ready(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, d.clean()) }()
	if err := d.start(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.say("Recording %d shops for %d s of normal time.", liveShops, seconds)
	if err := d.record(ctx, "normal", time.Duration(seconds)*time.Second, nil); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.say("Learning what is normal.")
	for _, args := range [][]string{
		{"ingest", d.in("normal"), "-o", d.in("features.parquet")},
		{"train", d.in("features.parquet"), "-o", d.in("shop.mayfly")},
	} {
		if err := d.mayfly(ctx, args...); err != nil {
			return err
		}
	}
	d.say("Recording again. Somebody drops a program into demo-shop-1, which reads /etc/shadow and calls home.")
	err = d.record(ctx, "tonight", 15*time.Second, func() error {
		return d.docker(ctx, nil, "exec", d.name(1), "/mayfly", "demo-attack")
	})
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.say("Looking for what departs from it.")
	if err := d.mayfly(ctx, "replay", d.in("shop.mayfly"), d.in("tonight"), "-o", d.in("findings.jsonl"), "--report", d.in("findings.html")); err != nil {
		return err
	}
	if err := d.mayfly(ctx, "replay", d.in("shop.mayfly"), d.in("tonight"), "--format", "table"); err != nil {
		return err
	}
	d.say("Done. Look at %s, and at one of them with: mayfly explain --findings %s", d.in("findings.html"), d.in("findings.jsonl"))
	return nil
}

func (d *liveDemo) in(name string) string { return filepath.Join(d.out, name) }
func (d *liveDemo) name(shop int) string  { return fmt.Sprintf("demo-shop-%d-%d", shop, os.Getpid()) }

func (d *liveDemo) say(format string, args ...any) {
	fmt.Fprintf(d.stdout, "\n"+format+"\n", args...)
}

// ready says what is missing, before anything is started.
func (d *liveDemo) ready() error {
	if os.Geteuid() != 0 {
		return errors.New("--live records this host, which needs root (mayfly demo needs nothing)")
	}
	if _, err := exec.LookPath("docker"); err != nil {
		return errors.New("--live runs containers with docker, which is not on the PATH")
	}
	if out, err := exec.Command("docker", "info", "--format", "{{.ServerVersion}}").CombinedOutput(); err != nil {
		return fmt.Errorf("docker does not answer: %s", oneLine(errors.New(strings.TrimSpace(string(out)))))
	}
	for _, name := range []string{"normal", "tonight"} {
		if _, err := os.Lstat(d.in(name)); err == nil {
			return fmt.Errorf("%s: is there already; name another folder with -o", d.in(name))
		}
	}
	return os.MkdirAll(d.out, 0o700)
}

// start makes an image of this program and runs the shops, without a network.
func (d *liveDemo) start(ctx context.Context) error {
	layer, err := liveLayer(d.self)
	if err != nil {
		return err
	}
	if err := d.docker(ctx, layer, "import", "--change", "ENTRYPOINT [\"/mayfly\"]", "--change", "LABEL "+liveLabel, "-", d.image); err != nil {
		return err
	}
	for shop := range liveShops {
		if err := d.docker(ctx, nil, "run", "--detach", "--rm", "--network", "none", "--label", liveLabel, "--name", d.name(shop+1), d.image, "demo-shop", "/srv/shop"); err != nil {
			return err
		}
	}
	return nil
}

// clean removes what start made.
func (d *liveDemo) clean() error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(context.Background()), time.Minute)
	defer stop()
	args := []string{"rm", "--force"}
	for shop := range liveShops {
		args = append(args, d.name(shop+1))
	}
	_ = d.docker(ctx, nil, args...) // what did not start is not there
	return d.docker(ctx, nil, "rmi", "--force", d.image)
}

// record records for a while in a process of its own, which gives up its privileges,
// and does something halfway.
func (d *liveDemo) record(ctx context.Context, name string, long time.Duration, halfway func() error) error {
	args := []string{"record", "-o", d.in(name), "--duration", long.String(), "--select", "label=" + liveLabel, "--log", "text"}
	fmt.Fprintf(d.stdout, "   $ mayfly %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, d.self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	var did error
	if halfway != nil {
		select {
		case <-ctx.Done():
		case <-time.After(long / 2):
			did = halfway()
		}
	}
	if err := cmd.Wait(); err != nil {
		return errors.Join(fmt.Errorf("record: %w: %s", err, lastLine(said.String())), did)
	}
	return did
}

// lastLine is what a program said last.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return oneLine(errors.New(lines[len(lines)-1]))
}

// mayfly runs a command of this program.
func (d *liveDemo) mayfly(ctx context.Context, args ...string) error {
	fmt.Fprintf(d.stdout, "   $ mayfly %s\n", strings.Join(args, " "))
	err := execute(ctx, args, strings.NewReader(""), d.stdout, d.stderr)
	var status statusError
	if errors.As(err, &status) && status.err == nil && status.status == statusPartial {
		return nil
	}
	return err
}

func (d *liveDemo) docker(ctx context.Context, stdin []byte, args ...string) error {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], err, lastLine(string(out)))
	}
	return nil
}

// liveLayer is a file system with this program and a few empty folders.
func liveLayer(self string) ([]byte, error) {
	program, err := os.ReadFile(self)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	write := func(h tar.Header, content []byte) {
		h.Size, h.ModTime = int64(len(content)), time.Unix(1e9, 0)
		if err == nil {
			if err = w.WriteHeader(&h); err == nil {
				_, err = w.Write(content)
			}
		}
	}
	for _, dir := range []string{"etc/", "proc/", "dev/", "sys/", "tmp/", "srv/", "srv/shop/"} {
		write(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	write(tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/:/mayfly\n"))
	write(tar.Header{Name: "etc/shadow", Mode: 0o600}, []byte("root:*:19000:0:::::\n"))
	write(tar.Header{Name: "mayfly", Mode: 0o755}, program)
	return b.Bytes(), errors.Join(err, w.Close())
}
