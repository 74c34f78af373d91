package engineio

import (
	"bytes"
	"io"
	"sync"

	"github.com/gobwas/ws"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// deflateTail ends a message's deflate stream: the empty block that RFC 7692
// takes off, and a final block so that the reader sees an end.
var deflateTail = []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}

// A compressor is hundreds of kilobytes; pools keep one per busy processor.
var (
	deflaters = sync.Pool{New: func() any {
		w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is valid
		return w
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}
	gzippers  = sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
		return w
	}}
)

// deflate makes the compressed frame. The extension is negotiated without
// context takeover, so all receivers can share it.
func (m *Message) deflate() []byte {
	var out bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(m.payload()); err != nil {
		return m.frame
	}
	if err := w.Flush(); err != nil {
		return m.frame
	}
	// RFC 7692, 7.2.1: the empty block at the end is left out.
	body := bytes.TrimSuffix(out.Bytes(), deflateTail[:4])
	// What does not shrink goes out plain, which every client accepts.
	if len(body) >= len(m.payload()) {
		return m.frame
	}
	op := ws.OpText
	if m.kind == binaryMessage {
		op = ws.OpBinary
	}
	return append(appendHeader(make([]byte, 0, ws.MaxHeaderSize+len(body)), op, rsv1, len(body)), body...)
}

// inflate decompresses a message of at most limit bytes. No window is kept from
// one message to the next: that was negotiated, and a window is 32 KB.
func inflate(p []byte, limit int) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	in := io.MultiReader(bytes.NewReader(p), bytes.NewReader(deflateTail))
	if err := r.(flate.Resetter).Reset(in, nil); err != nil {
		return nil, errInflate
	}
	// One byte more than allowed tells a message that is too big from one that
	// fits exactly. A bomb is stopped here, not when it has been unpacked.
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, errInflate
	case len(out) > limit:
		return nil, errTooBig
	}
	return out, nil
}

// gzipped compresses the body of a poll's answer. The fastest level is within a
// few percent of the default on JSON, at a third of its cost.
func gzipped(p []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzippers.Get().(*gzip.Writer)
	defer gzippers.Put(w)
	w.Reset(&out)
	if _, err := w.Write(p); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
