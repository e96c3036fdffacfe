// Load keeps a server on loopback busy, as its users would: load KIND PORT SECONDS
// SEED [RATE], where KIND is http, cgi or redis. How many requests come in a second
// wanders between RATE/8 and twice RATE (default 42), with pauses; the seed decides
// all chance.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 && len(args) != 5 {
		return fmt.Errorf("want KIND PORT SECONDS SEED [RATE], got %q", args)
	}
	mean := 42.5
	if len(args) == 5 {
		var err error
		if mean, err = strconv.ParseFloat(args[4], 64); err != nil {
			return err
		}
	}
	seconds, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[3], 10, 64)
	if err != nil {
		return err
	}
	request := map[string]func(string, *rand.Rand) error{"http": get, "cgi": ask, "redis": commands}[args[0]]
	if request == nil {
		return fmt.Errorf("kind %q: want http, cgi or redis", args[0])
	}
	chance := rand.New(rand.NewPCG(seed, 1))
	length := time.Duration(seconds * float64(time.Second))
	begin, done, failed := time.Now(), 0, 0
	for time.Since(begin) < length {
		phase := 2*math.Pi*time.Since(begin).Seconds()/60 + float64(seed)
		rate := mean * (0.12 + 0.88*(1+math.Sin(phase)))
		time.Sleep(time.Duration(chance.ExpFloat64() / rate * float64(time.Second)))
		if chance.IntN(400) == 0 {
			time.Sleep(3 * time.Second)
		}
		done++
		if err := request("127.0.0.1:"+args[1], chance); err != nil {
			failed++
		}
	}
	fmt.Printf("load: %d requests, %d failed\n", done, failed)
	return nil
}

// ask has a script make a page.
func ask(address string, chance *rand.Rand) error {
	return send(http.MethodGet, "http://"+address+fmt.Sprintf("/cgi-bin/report?n=%d", 1+chance.IntN(40)), chance)
}

// get asks for a page as browsers do: mostly small ones, now and then a large one,
// a part of it, one that is not there, or what has not changed.
func get(address string, chance *rand.Rand) error {
	paths := []string{"/", "/index.html", "/style.css", "/about.html", "/", "/large.bin", "/missing.html", "/docs/"}
	method := http.MethodGet
	if chance.IntN(20) == 0 {
		method = http.MethodHead
	}
	return send(method, "http://"+address+paths[chance.IntN(len(paths))], chance)
}

func send(method, url string, chance *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	switch chance.IntN(10) {
	case 0:
		r.Header.Set("Range", "bytes=100-299")
	case 1:
		r.Header.Set("If-Modified-Since", time.Now().UTC().Format(http.TimeFormat))
	case 2:
		r.Close = true
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return err
}

// commands opens a connection and sends one to eight commands of Redis over it.
func commands(address string, chance *rand.Rand) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(c)
	for range 1 + chance.IntN(8) {
		key := fmt.Sprintf("key:%d", chance.IntN(2000))
		lines := []string{"GET " + key, "GET " + key, "SET " + key + " " + strings.Repeat("x", 1+chance.IntN(3000)), "INCR hits",
			"LPUSH queue " + key, "LTRIM queue 0 500", "LRANGE queue 0 20", "DEL " + key, "EXPIRE " + key + " 60", "INFO memory"}
		if _, err := fmt.Fprintf(c, "%s\r\n", lines[chance.IntN(len(lines))]); err != nil {
			return err
		}
		if err := reply(in); err != nil {
			return err
		}
	}
	return nil
}

// reply reads one answer of Redis.
func reply(in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
	switch line[0] {
	case '$':
		if n >= 0 {
			_, err = in.Discard(n + 2)
		}
	case '*':
		for range n {
			if err := reply(in); err != nil {
				return err
			}
		}
	}
	return err
}
