package redis

import "github.com/redis/go-redis/v9"

const (
	// firstCount is how many entries are read when it is not known how large
	// they are.
	firstCount = 16
	// readBytes is about what is read at once.
	readBytes = 1 << 20
)

// pace says how many entries of the stream to read at once: no more than fit into
// memory easily, to judge by those that were read last. Only one goroutine may use
// it.
type pace struct{ count, most int64 }

func newPace(most int64) pace { return pace{min(firstCount, most), most} }

// read takes in what a read has brought. At the stream's end nobody knows what
// comes next.
func (p *pace) read(list []redis.XMessage) {
	n := int64(len(list))
	if n == 0 {
		return
	}
	next := 2 * p.count
	if n < p.count {
		next = firstCount
	}
	size := n // never 0
	for i := range list {
		for _, v := range list[i].Values {
			text, _ := v.(string)
			size += int64(len(text))
		}
	}
	p.count = max(1, min(next, p.most, readBytes*n/size))
}
