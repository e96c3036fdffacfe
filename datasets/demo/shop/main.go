// Command shop is the workload of the recording that ships with mayfly: a small
// web shop with a stock server behind it, a load that people would make, and one
// hole. It is built static and put into an otherwise empty image.
//
//	shop serve   the web server on :8080
//	shop stock   the stock server on :6380, one line in, one line out
//	shop load    requests against a web server for a while
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		exit(fmt.Errorf("want serve, stock or load"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "address to serve, or to load")
	stock := flags.String("stock", "127.0.0.1:6380", "address of the stock server")
	rate := flags.Float64("rate", 30, "requests per second (load)")
	length := flags.Duration("for", 30*time.Second, "how long (load)")
	seed := flags.Uint64("seed", 1, "seed of the requests' order (load)")
	if err := flags.Parse(os.Args[2:]); err != nil {
		exit(err)
	}
	switch os.Args[1] {
	case "serve":
		exit(serve(*addr, *stock))
	case "stock":
		exit(serveStock(*stock))
	case "load":
		exit(load(*addr, *rate, *length, *seed))
	default:
		exit(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
