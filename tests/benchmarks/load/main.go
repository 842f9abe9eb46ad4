// Command load sends gRPC calls with prepared bodies over raw HTTP/2, and prints as JSON how each
// of them was answered. Bodies are sent in turn, so calls can differ, which h2load cannot do.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

const largestBody = 16384 // bytes: what every HTTP/2 server takes in one frame

// A report says how a number of calls went; latencies are in microseconds.
type report struct {
	Calls    int            `json:"calls"`
	OK       int            `json:"ok"`
	Seconds  float64        `json:"seconds"`
	Rate     float64        `json:"rps"`
	P50      float64        `json:"p50"`
	P99      float64        `json:"p99"`
	Statuses map[string]int `json:"statuses"`
}

// A supply hands out bodies in turn until as many were taken as there are calls to make.
type supply struct {
	bodies [][]byte
	calls  int64
	taken  atomic.Int64
}

func (s *supply) next() ([]byte, bool) {
	n := s.taken.Add(1)
	if n > s.calls {
		return nil, false
	}
	return s.bodies[(n-1)%int64(len(s.bodies))], true
}

func main() {
	address := flag.String("address", "127.0.0.1:50052", "where the server listens, host:port")
	path := flag.String("path", "", "full name of the method, /package.Service/Method")
	file := flag.String("bodies", "", "file of gRPC frames, each after its length in four bytes")
	calls := flag.Int("calls", 1000, "how many calls to make")
	connections := flag.Int("connections", 8, "how many connections to make them on")
	inFlight := flag.Int("inflight", 16, "how many calls each connection has in flight")
	within := flag.Duration("within", 2*time.Minute, "when to give up")
	flag.Parse()

	// As light as can be: the server under test needs the other core.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(1000)
	bodies, err := read(*file)
	if err == nil {
		deadline := time.Now().Add(*within)
		work := &supply{bodies: bodies, calls: int64(*calls)}
		err = run(*address, *path, work, *connections, *inFlight, deadline)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func read(file string) ([][]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var bodies [][]byte
	for len(content) >= 4 {
		size := int(binary.BigEndian.Uint32(content))
		if size > largestBody || size > len(content)-4 {
			return nil, fmt.Errorf("%s holds a body that is too large or cut short", file)
		}
		bodies, content = append(bodies, content[4:4+size]), content[4+size:]
	}
	if len(bodies) == 0 {
		return nil, fmt.Errorf("%s holds no body", file)
	}
	return bodies, nil
}

func run(address, path string, work *supply, count, inFlight int, deadline time.Time) error {
	connections := make([]*connection, count)
	for i := range connections {
		socket, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer socket.Close()
		if err := socket.SetDeadline(deadline); err != nil {
			return err
		}
		connections[i] = newConnection(socket, address, path, work, inFlight)
	}
	ended := make(chan error, count)
	began := time.Now()
	for _, c := range connections {
		go func() { ended <- c.run() }()
	}
	var failures []error
	for range connections {
		failures = append(failures, <-ended)
	}
	took := time.Since(began)
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(summary(connections, took))
}

func summary(connections []*connection, took time.Duration) report {
	all := report{Seconds: took.Seconds(), Statuses: map[string]int{}}
	var latencies []time.Duration
	for _, c := range connections {
		latencies = append(latencies, c.latencies...)
		for status, count := range c.statuses {
			all.Statuses[status] += count
		}
	}
	slices.Sort(latencies)
	all.Calls = len(latencies)
	all.OK = all.Statuses["0"]
	all.Rate = float64(all.Calls) / all.Seconds
	all.P50 = percentile(latencies, 50)
	all.P99 = percentile(latencies, 99)
	return all
}

func percentile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := (len(sorted)*percent + 99) / 100
	return float64(sorted[rank-1].Nanoseconds()) / 1000
}
