package server

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Cores of the benchmark: the servers share one and the generator has the other.
const (
	ServerCore    = 0
	GeneratorCore = 1
)

// Pin binds the calling thread to a core and returns how to undo it. A process
// or thread that is started meanwhile inherits the binding. The caller must hold
// the thread (runtime.LockOSThread).
func Pin(core int) (undo func() error, err error) {
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("reading the processor affinity: %w", err)
	}
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("binding to core %d: %w", core, err)
	}
	return func() error { return unix.SchedSetaffinity(0, &before) }, nil
}

// startOn starts cmd on a core. Go programs see one processor there and set
// GOMAXPROCS accordingly by themselves.
func startOn(core int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	undo, err := Pin(core)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		_ = undo() // the first error tells more
		return fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return undo()
}
