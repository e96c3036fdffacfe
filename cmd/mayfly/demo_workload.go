package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// What runs in the containers of mayfly demo --live: this program itself, for the
// image holds nothing else.

// newDemoShopCommand serves a little shop on loopback and buys in it, at a pace that
// wanders, until it is ended.
func newDemoShopCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo-shop DIR", Hidden: true, Args: cobra.ExactArgs(1), Short: "Be the workload of demo --live",
		RunE: func(cmd *cobra.Command, args []string) error { return runShop(cmd.Context(), args[0]) },
	}
}

func runShop(ctx context.Context, dir string) error {
	for i := range 12 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".txt"), []byte("a thing to buy\n"), 0o644); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		return err
	}
	shop := http.NewServeMux()
	shop.HandleFunc("GET /item/{n}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, filepath.Base(r.PathValue("n"))+".txt"))
	})
	shop.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.OpenFile(filepath.Join(dir, "orders"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		_, _ = io.Copy(f, io.LimitReader(r.Body, 1<<10)) // an order that is cut short is one of a demo
	})
	server := &http.Server{Handler: shop, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }() // the demo is over
	for {
		for range 1 + rand.IntN(6) {
			if err := visit(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(20+rand.IntN(180)) * time.Millisecond):
		}
	}
}

// visit looks at an item, and sometimes orders it.
func visit(ctx context.Context) error {
	const address = "http://127.0.0.1:8080"
	method, url := http.MethodGet, fmt.Sprintf("%s/item/%d", address, rand.IntN(12))
	if rand.IntN(5) == 0 {
		method, url = http.MethodPost, address+"/order"
	}
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// newDemoAttackCommand does what an intruder does first, harmlessly: it drops a
// program and runs it, which reads the passwords and calls home, where nobody is.
func newDemoAttackCommand() *cobra.Command {
	var dropped bool
	cmd := &cobra.Command{
		Use: "demo-attack", Hidden: true, Args: cobra.NoArgs, Short: "Be the attack of demo --live",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dropped {
				return runDropped(cmd.Context())
			}
			return dropProgram(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&dropped, "dropped", false, "be the program that was dropped")
	return cmd
}

func dropProgram(ctx context.Context) error {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	const path = "/tmp/.x"
	if err := os.WriteFile(path, self, 0o755); err != nil {
		return err
	}
	return exec.CommandContext(ctx, path, "demo-attack", "--dropped").Run()
}

func runDropped(ctx context.Context) error {
	_, _ = os.ReadFile("/etc/shadow") // whether it may does not matter
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "tcp", "127.0.0.1:4444"); err == nil {
		_ = conn.Close()
	}
	time.Sleep(200 * time.Millisecond)
	return nil
}
