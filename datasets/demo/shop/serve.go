package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Where the image keeps things.
const (
	pages   = "/srv/shop"         // items, read only
	state   = "/var/lib/shop"     // orders and uploads
	logFile = "/var/log/shop.log" // one line per request
)

func serve(addr, stock string) error {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	shop := &shop{stock: stock, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item/{id}", shop.item)
	mux.HandleFunc("GET /stock/{id}", shop.inStock)
	mux.HandleFunc("POST /order", shop.order)
	mux.HandleFunc("POST /upload/{name}", shop.upload)
	mux.HandleFunc("GET /whois", shop.whois)
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type shop struct {
	stock string
	mu    sync.Mutex
	log   *os.File
}

func (s *shop) note(r *http.Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.log, "%d %s %s\n", status, r.Method, r.URL.Path)
}

func (s *shop) fail(w http.ResponseWriter, r *http.Request, status int, err error) {
	s.note(r, status)
	http.Error(w, err.Error(), status)
}

// item answers with a file of the image.
func (s *shop) item(w http.ResponseWriter, r *http.Request) {
	page, err := os.ReadFile(filepath.Join(pages, filepath.Base(r.PathValue("id"))+".txt"))
	if err != nil {
		s.fail(w, r, http.StatusNotFound, err)
		return
	}
	s.note(r, http.StatusOK)
	_, _ = w.Write(page)
}

// inStock asks the stock server over a new connection.
func (s *shop) inStock(w http.ResponseWriter, r *http.Request) {
	conn, err := net.DialTimeout("tcp", s.stock, time.Second)
	if err != nil {
		s.fail(w, r, http.StatusBadGateway, err)
		return
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintln(conn, r.PathValue("id"))
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		s.fail(w, r, http.StatusBadGateway, err)
		return
	}
	s.note(r, http.StatusOK)
	fmt.Fprint(w, answer)
}

// order appends to a file and syncs it.
func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err)
		return
	}
	file, err := os.OpenFile(filepath.Join(state, "orders"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	defer file.Close()
	if _, err := file.Write(append(body, '\n')); err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	_ = file.Sync()
	s.note(r, http.StatusCreated)
	w.WriteHeader(http.StatusCreated)
}

// upload keeps a picture beside the orders, first under a temporary name.
func (s *shop) upload(w http.ResponseWriter, r *http.Request) {
	if err := keep(filepath.Join(state, "uploads"), filepath.Base(r.PathValue("name")), r.Body); err != nil {
		s.fail(w, r, http.StatusInternalServerError, err)
		return
	}
	s.note(r, http.StatusCreated)
	w.WriteHeader(http.StatusCreated)
}

func keep(dir, name string, body io.Reader) error {
	part, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	_, err = io.Copy(part, io.LimitReader(body, 1<<20))
	if err := errors.Join(err, part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), filepath.Join(dir, name))
}

// whois is the hole: the name goes into a shell's command line as it came.
func (s *shop) whois(w http.ResponseWriter, r *http.Request) {
	out, _ := exec.Command("/bin/sh", "-c", "echo asking for "+r.URL.Query().Get("name")).CombinedOutput()
	s.note(r, http.StatusOK)
	_, _ = w.Write(out)
}

// serveStock answers each line with a number that depends on the line alone.
func serveStock(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = conn.Close() }()
			lines := bufio.NewScanner(conn)
			for lines.Scan() {
				left := 0
				for _, c := range lines.Bytes() {
					left = (left*31 + int(c)) % 97
				}
				fmt.Fprintln(conn, left)
			}
		}()
	}
}
