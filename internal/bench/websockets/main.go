// Command websockets measures websocket libraries for the choice that
// internal/engineio makes: the memory of an idle connection, and the CPU time of
// a broadcast. It prints a table of medians.
//
//	go run . [rounds]
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

const (
	connections = 2000
	broadcasts  = 50
	size        = 200 // bytes of one message
)

func main() {
	if name := os.Getenv("WEBSOCKETS_SERVER"); name != "" {
		if err := serve(name); err != nil {
			log.Fatal(err)
		}
		return
	}
	rounds := 5
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil || n < 1 {
			log.Fatalf("rounds: %q is not a positive number", os.Args[1])
		}
		rounds = n
	}
	if err := measure(rounds); err != nil {
		log.Fatal(err)
	}
}

// measure runs every library once per round, so that a busy machine hits all.
func measure(rounds int) error {
	memory, cpu := map[string][]float64{}, map[string][]float64{}
	for range rounds {
		for _, l := range libraries {
			kb, us, err := run(l.name)
			if err != nil {
				return fmt.Errorf("measuring %s: %w", l.name, err)
			}
			memory[l.name] = append(memory[l.name], kb)
			cpu[l.name] = append(cpu[l.name], us)
		}
	}
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "| library | KB per idle connection | µs CPU per message sent | over a stream of HTTP/2 or HTTP/3 |\n|---|---|---|---|")
	for _, l := range libraries {
		fmt.Fprintf(out, "| %s | %.1f | %.2f | %s |\n", l.name, median(memory[l.name]), median(cpu[l.name]), l.streams)
	}
	return out.Flush()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// run starts a server in a process of its own and returns what it used.
func run(name string) (kb, us float64, err error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WEBSOCKETS_SERVER="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	lines := bufio.NewReader(out)
	ask := func(question string) (string, error) {
		if _, err := fmt.Fprintln(in, question); err != nil {
			return "", err
		}
		line, err := lines.ReadString('\n')
		return strings.TrimSpace(line), err
	}
	kb, us, err = interview(ask)
	if closeErr := in.Close(); err == nil {
		err = closeErr
	}
	if waitErr := cmd.Wait(); err == nil {
		err = waitErr
	}
	return kb, us, err
}

// interview takes a server through idle connections and broadcasts.
func interview(ask func(string) (string, error)) (kb, us float64, err error) {
	number := func(question string) float64 {
		line, askErr := ask(question)
		n, parseErr := strconv.ParseFloat(line, 64)
		if err == nil {
			err = askErr
		}
		if err == nil {
			err = parseErr
		}
		return n
	}
	address, err := ask("address")
	if err != nil {
		return 0, 0, err
	}
	before := number("rss")
	clients, err := dial(address)
	if err != nil {
		return 0, 0, err
	}
	defer clients.close()
	kb = (number("rss") - before) / connections
	start := number("cpu")
	if number("broadcast"); err != nil {
		return 0, 0, err
	}
	if err := clients.wait(); err != nil {
		return 0, 0, err
	}
	us = (number("cpu") - start) / (connections * broadcasts)
	return kb, us, err
}
