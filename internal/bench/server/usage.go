package server

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time of all the server's processes so far.
func (s *Server) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, p := range s.processes {
		d, err := cpuOf(p.cmd.Process.Pid)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of %s: %w", p.name, err)
		}
		sum += d
	}
	return sum, nil
}

// cpuOf reads the CPU-time clock of another process, which counts nanoseconds
// where /proc/<pid>/stat counts hundredths of a second. Its id is what
// clock_getcpuclockid(3) computes.
func cpuOf(pid int) (time.Duration, error) {
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^uint32(pid)<<3|scheduled), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// RSS is the resident memory of all the server's processes, in bytes, without what
// is mapped from files: how much of a program's own file is resident is up to the
// kernel's reclaim, and no socket's.
func (s *Server) RSS() (int64, error) {
	var sum int64
	for _, p := range s.processes {
		n, err := rssOf(p.cmd.Process.Pid)
		if err != nil {
			return 0, fmt.Errorf("reading the memory of %s: %w", p.name, err)
		}
		sum += n
	}
	return sum, nil
}

// rssOf reads the kernel's own sum over the mappings, which is exact where the
// counters in /proc/<pid>/status lag behind.
func rssOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("Anonymous:")); ok {
			kb, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no Anonymous in %d bytes", len(text))
}

const (
	settleStep    = 250 * time.Millisecond
	settleTimeout = 10 * time.Second
	stable        = 4 // readings
)

// SettledRSS asks every process for two garbage collections (the second empties
// Go's pools) and returns the memory once some readings in a row differ by less
// than half a percent, or the last one after a while.
func (s *Server) SettledRSS(ctx context.Context) (int64, error) {
	var readings []int64
	deadline := time.Now().Add(settleTimeout)
	for i := 0; ; i++ {
		if i == 0 || i == stable {
			if err := s.collect(ctx); err != nil {
				return 0, err
			}
		}
		n, err := s.RSS()
		if err != nil {
			return 0, err
		}
		readings = append(readings, n)
		if i >= 2*stable && (settled(readings[len(readings)-stable:]) || time.Now().After(deadline)) {
			return n, nil
		}
		if err := pause(ctx, settleStep); err != nil {
			return 0, err
		}
	}
}

// settled reports whether the readings differ by at most half a percent.
func settled(readings []int64) bool {
	low, high := readings[0], readings[0]
	for _, n := range readings {
		low, high = min(low, n), max(high, n)
	}
	return high-low <= high/200
}

// collect asks all processes, since a proxy holds memory for its connections, too.
func (s *Server) collect(ctx context.Context) error {
	for _, p := range s.processes {
		if err := p.collect(ctx); err != nil {
			return fmt.Errorf("asking %s for a collection: %w", p.name, err)
		}
	}
	return nil
}

// pause waits for d, or until the run is cancelled.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
