package harness

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Patience is how long anything that is awaited may take.
const Patience = 60 * time.Second

// Until asks until it holds, with a pause between: for what another process tells only when asked (statistics, answers, objects).
func Until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for pause := time.Millisecond; !holds(); pause = min(pause*2, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting after %v: %s", Patience, what)
		}
		time.Sleep(pause)
	}
}

// Near says whether hits are within five standard deviations of a share.
func Near(hits, total int, share float64) bool {
	return math.Abs(float64(hits)-float64(total)*share) <= 5*math.Sqrt(float64(total)*share*(1-share))
}

// Load asks without end, with one worker for each function, until it is stopped. A failed request is an error of the
// test; stop says how many were answered.
func Load(t *testing.T, workers ...func() error) (stop func() int64) {
	t.Helper()
	var answered atomic.Int64
	var group sync.WaitGroup
	done := make(chan struct{})
	for _, ask := range workers {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := ask(); err != nil {
					t.Error("a request failed: ", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	stop = sync.OnceValue(func() int64 {
		close(done)
		group.Wait()
		return answered.Load()
	})
	t.Cleanup(func() { stop() }) // also where the test ends before it stops them
	Until(t, "requests", func() bool { return answered.Load() > 20 || t.Failed() })
	return stop
}
