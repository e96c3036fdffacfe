package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"time"
)

// load sends requests as customers would, some more often than others, at rate
// per second on the average, with pauses as random arrivals have them.
func load(addr string, rate float64, length time.Duration, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 0))
	client := &http.Client{Timeout: 5 * time.Second}
	end := time.Now().Add(length)
	var sent, failed int
	for time.Now().Before(end) {
		if err := request(client, "http://"+addr, rnd); err != nil {
			failed++
		}
		sent++
		time.Sleep(time.Duration(rnd.ExpFloat64() / rate * float64(time.Second)))
		if rnd.IntN(40) == 0 { // a new customer: connections come and go
			client.CloseIdleConnections()
		}
	}
	fmt.Fprintf(os.Stderr, "shop: %d requests, %d failed\n", sent, failed)
	return nil
}

func request(client *http.Client, base string, rnd *rand.Rand) error {
	id := rnd.IntN(12)
	var response *http.Response
	var err error
	switch p := rnd.Float64(); {
	case p < 0.60:
		response, err = client.Get(fmt.Sprintf("%s/item/%d", base, id))
	case p < 0.85:
		response, err = client.Get(fmt.Sprintf("%s/stock/%d", base, id))
	case p < 0.95:
		response, err = client.Post(base+"/order", "text/plain", bytes.NewReader(fmt.Appendf(nil, "item %d", id)))
	default:
		picture := make([]byte, 1+rnd.IntN(20000))
		response, err = client.Post(fmt.Sprintf("%s/upload/%d.png", base, id), "image/png", bytes.NewReader(picture))
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
