package signaling

import (
	"flag"
	"log"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(documented{m}) }

// documented compares the tables of the README with what the tests have sent and
// got, all tests together. So it can only be done when all have run.
type documented struct{ m *testing.M }

func (d documented) Run() int {
	code := d.m.Run()
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if flag.Lookup(name).Value.String() != "" {
			return code
		}
	}
	if code != 0 {
		return code // what is missing then may be what has failed
	}
	for _, fault := range wire.compare() {
		log.Print("README.md: ", fault)
		code = 1
	}
	return code
}
