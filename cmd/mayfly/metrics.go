package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mayfly/record"
)

// recordMetrics tells Prometheus of the latest status of a recording. There is
// nothing by container in it: containers live minutes, and each would leave a
// series behind. The trace's losses table has what was lost, by container.
type recordMetrics struct {
	latest   atomic.Pointer[record.Status]
	registry *prometheus.Registry
}

func newRecordMetrics() *recordMetrics {
	m := &recordMetrics{registry: prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mayfly_build_info", Help: "What was built; always 1.",
		ConstLabels: prometheus.Labels{"version": version(), "goversion": runtime.Version(), "arch": runtime.GOARCH}})
	build.Set(1)
	m.registry.MustRegister(m, build, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *recordMetrics) watch(s record.Status) { m.latest.Store(&s) }

// Metrics of a recording. Rows are by table of the trace, records by class of loss.
var (
	descRows       = desc("rows_written_total", "Rows handed to the writer, by table of the trace.", "table")
	descCalls      = desc("calls_written_total", "System calls in the rows of sequences.")
	descProduced   = desc("records_produced_total", "Records that the kernel side made, by class.", "class")
	descLeftOut    = desc("records_deselected_total", "Records of containers that are not selected, by class.", "class")
	descLost       = desc("records_lost_total", "Records that are not in the trace, and rows that the disk did not take, by class.", "class")
	descContainers = desc("containers_total", "Containers of which there are rows.")
	descRedacted   = desc("redacted_words_total", "Words of command lines in which a secret was replaced.")
	descRead       = desc("ring_read_bytes_total", "Bytes read from the rings.")
	descRing       = desc("ring_bytes", "Bytes that wait in a ring.", "ring")
	descRingSize   = desc("ring_size_bytes", "Room in a ring.", "ring")
	descWaiting    = desc("batches_waiting", "Batches of rows that wait for the writer.")
	descSeals      = desc("seals_total", "How often the open files were completed.")
	descSealed     = desc("last_seal_timestamp_seconds", "When the open files were last completed.")
	descOnDisk     = desc("last_acknowledged_timestamp_seconds", "Rows up to then are on disk and survive a crash.")
	descAlive      = desc("reader_timestamp_seconds", "When the reader of the rings was last seen at work.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mayfly_"+name, help, labels, nil)
}

// Describe sends the metrics that Collect makes.
func (m *recordMetrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect sends the latest status; before the first all is zero.
func (m *recordMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.latest.Load()
	if s == nil {
		s = &record.Status{}
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter(descRows, float64(s.Events), "events")
	counter(descRows, float64(s.Sequences), "sequences")
	counter(descRows, float64(s.Processes), "processes")
	counter(descCalls, float64(s.Calls))
	for class, n := range s.Produced {
		counter(descProduced, float64(n), class)
		counter(descLeftOut, float64(s.LeftOut[class]), class)
	}
	for class, n := range s.Lost {
		counter(descLost, float64(n), class)
	}
	counter(descContainers, float64(s.Containers))
	counter(descRedacted, float64(s.Redacted))
	counter(descRead, float64(s.Read))
	for _, r := range s.Rings {
		gauge(descRing, float64(r.Bytes), r.Name)
		gauge(descRingSize, float64(r.Size), r.Name)
	}
	gauge(descWaiting, float64(s.Waiting))
	counter(descSeals, float64(s.Seals))
	gauge(descSealed, unixSeconds(s.Sealed))
	gauge(descOnDisk, unixSeconds(s.OnDisk))
	gauge(descAlive, unixSeconds(s.Time))
}

func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// listenAddress checks what --metrics was given. A port alone is one of this
// machine's own address: what a host's recorder tells is nobody else's business
// unless somebody says so.
func listenAddress(given string) (string, error) {
	host, port, err := net.SplitHostPort(given)
	if err != nil {
		return "", usageErrorf("record: --metrics %q: want :PORT or ADDRESS:PORT", given)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1024 || n > 65535 {
		return "", usageErrorf("record: --metrics %q: want a port from 1024 to 65535", given)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// serve answers GET /metrics and /healthz at an address until close is called.
func (m *recordMetrics) serve(address string) (close func(), err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", m.healthz)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(l) }() // ends with close
	return func() { _ = server.Close() }, nil
}

// unseenAfter is how long the reader may be silent before it counts as hung.
const unseenAfter = 30 * time.Second

// healthz answers 200 while the goroutine that reads the rings is seen at work.
func (m *recordMetrics) healthz(w http.ResponseWriter, _ *http.Request) {
	s := m.latest.Load()
	if s == nil || time.Since(s.Time) > unseenAfter {
		http.Error(w, "the reader of the rings is not seen at work", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "recording")
}

// textfileEvery is how often a textfile is written: node_exporter's collector
// reads it at each scrape, mostly every 15 s or more.
const textfileEvery = 15 * time.Second

// textfile writes the metrics to a file, by rename, now and then and once more when close is
// called. An error is told, and the next time may be better.
func (m *recordMetrics) textfile(path string, failed func(error)) (close func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer func() { m.write(path, failed); stopped <- struct{}{} }()
		each := time.NewTicker(textfileEvery)
		defer each.Stop()
		for {
			m.write(path, failed)
			select {
			case <-each.C:
			case <-stop:
				return
			}
		}
	}()
	return func() { stop <- struct{}{}; <-stopped }
}

func (m *recordMetrics) write(path string, failed func(error)) {
	if err := prometheus.WriteToTextfile(path, m.registry); err != nil {
		failed(fmt.Errorf("metrics: %w", err))
	}
}

// checkTextfile says why metrics cannot be written to a file.
func checkTextfile(command, path string) error {
	if filepath.Ext(path) != ".prom" {
		return usageErrorf("%s: --metrics-textfile %q: want a name that ends in .prom, for node_exporter reads no other", command, path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s: --metrics-textfile %q: %w", command, path, err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s: --metrics-textfile %q: %s is no directory", command, path, filepath.Dir(path))
	}
	return checkOutput(path)
}
