package redis

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// maxDepth bounds the nesting of what comes from Redis.
const maxDepth = 128

var (
	errDepth   = errors.New("nested too deeply")
	errMsgpack = errors.New("malformed MessagePack")
)

// unpacker turns MessagePack into JSON, in which placeholders stand for binary
// parts, as in packets. What JSON does not know becomes what JavaScript makes of
// it: dates are text, and undefined is null.
type unpacker struct {
	all         []byte
	in          *bytes.Reader // what is left of it for dec
	dec         *msgpack.Decoder
	text        bytes.Buffer
	attachments [][]byte
}

// unpack reads one value, and refuses what follows it. It keeps nothing of b.
func unpack(b []byte) (text json.RawMessage, attachments [][]byte, err error) {
	u := newUnpacker(b)
	if text, err = u.next(); err != nil {
		return nil, nil, err
	}
	if u.in.Len() > 0 {
		return nil, nil, errMsgpack
	}
	return text, u.attachments, nil
}

func newUnpacker(b []byte) *unpacker {
	in := bytes.NewReader(b)
	u := &unpacker{all: b, in: in, dec: msgpack.NewDecoder(in)}
	u.text.Grow(len(b) + len(b)/8)
	return u
}

// next reads one value.
func (u *unpacker) next() ([]byte, error) {
	at := u.text.Len()
	if err := u.value(maxDepth); err != nil {
		return nil, fmt.Errorf("%w: %w", errMsgpack, err)
	}
	return u.text.Bytes()[at:u.text.Len():u.text.Len()], nil
}

// members reads an object, and calls member for each of its members.
func (u *unpacker) members(member func(key, value []byte)) error {
	n, err := u.dec.DecodeMapLen()
	if err != nil {
		return fmt.Errorf("%w: %w", errMsgpack, err)
	}
	for range n {
		key, err := u.next()
		if err != nil {
			return err
		}
		value, err := u.next()
		if err != nil {
			return err
		}
		member(key, value)
	}
	return nil
}

func (u *unpacker) value(depth int) error {
	if depth == 0 {
		return errDepth
	}
	code, err := u.dec.PeekCode()
	if err != nil {
		return err
	}
	switch {
	case code == msgpcode.Nil:
		u.text.WriteString("null")
		return u.dec.DecodeNil()
	case code == msgpcode.True || code == msgpcode.False:
		b, err := u.dec.DecodeBool()
		u.text.WriteString(strconv.FormatBool(b))
		return err
	case code == msgpcode.Uint64:
		n, err := u.dec.DecodeUint64()
		u.text.WriteString(strconv.FormatUint(n, 10))
		return err
	case code == msgpcode.Float || code == msgpcode.Double:
		return u.float()
	case msgpcode.IsFixedNum(code) || code >= msgpcode.Uint8 && code <= msgpcode.Int64:
		n, err := u.dec.DecodeInt64()
		u.text.WriteString(strconv.FormatInt(n, 10))
		return err
	case msgpcode.IsString(code):
		return u.string()
	case msgpcode.IsBin(code):
		return u.binary()
	case msgpcode.IsFixedArray(code) || code == msgpcode.Array16 || code == msgpcode.Array32:
		return u.array(depth)
	case msgpcode.IsFixedMap(code) || code == msgpcode.Map16 || code == msgpcode.Map32:
		return u.object(depth)
	case msgpcode.IsExt(code):
		return u.extension()
	}
	return errMsgpack
}

func (u *unpacker) float() error {
	f, err := u.dec.DecodeFloat64()
	if err != nil {
		return err
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		u.text.WriteString("null")
		return nil
	}
	text, err := json.Marshal(f)
	u.text.Write(text)
	return err
}

// bytes reads a string or binary value, and returns that part of the input. The
// decoder would allocate what a length says, up to 4 GB.
func (u *unpacker) bytes() ([]byte, error) {
	n, err := u.dec.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > u.in.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	at := len(u.all) - u.in.Len()
	_, err = u.in.Seek(int64(n), io.SeekCurrent)
	return u.all[at : at+n : at+n], err
}

func (u *unpacker) string() error {
	b, err := u.bytes()
	if err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return errMsgpack
	}
	return u.quote(b)
}

// quote appends a JSON string.
func (u *unpacker) quote(s []byte) error {
	if jsontext.SkipPlain(s, 0) == len(s) {
		u.text.WriteByte('"')
		u.text.Write(s)
		u.text.WriteByte('"')
		return nil
	}
	enc := json.NewEncoder(&u.text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(s)); err != nil {
		return err
	}
	u.text.Truncate(u.text.Len() - 1) // the encoder's newline
	return nil
}

func (u *unpacker) binary() error {
	b, err := u.bytes()
	if err != nil {
		return err
	}
	fmt.Fprintf(&u.text, `{"_placeholder":true,"num":%d}`, len(u.attachments))
	u.attachments = append(u.attachments, bytes.Clone(b))
	return nil
}

func (u *unpacker) array(depth int) error {
	n, err := u.dec.DecodeArrayLen()
	if err != nil {
		return err
	}
	u.text.WriteByte('[')
	for i := range n {
		if i > 0 {
			u.text.WriteByte(',')
		}
		if err := u.value(depth - 1); err != nil {
			return err
		}
	}
	u.text.WriteByte(']')
	return nil
}

func (u *unpacker) object(depth int) error {
	n, err := u.dec.DecodeMapLen()
	if err != nil {
		return err
	}
	u.text.WriteByte('{')
	for i := range n {
		if i > 0 {
			u.text.WriteByte(',')
		}
		if err := u.string(); err != nil {
			return err
		}
		u.text.WriteByte(':')
		if err := u.value(depth - 1); err != nil {
			return err
		}
	}
	u.text.WriteByte('}')
	return nil
}

// The extensions that JavaScript encoders use: -1 for a time stamp, and 0 for
// undefined (one byte) or, in older ones, a date in milliseconds (eight).
const (
	extTime = -1
	extOld  = 0
)

func (u *unpacker) extension() error {
	id, n, err := u.dec.DecodeExtHeader()
	if err != nil {
		return err
	}
	if n < 0 || n > 12 {
		return errMsgpack
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(u.dec.Buffered(), b); err != nil {
		return err
	}
	var at time.Time
	switch {
	case id == extOld && n == 1:
		u.text.WriteString("null")
		return nil
	case id == extOld && n == 8:
		at = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	case id == extTime && n == 4:
		at = time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
	case id == extTime && n == 8:
		v := binary.BigEndian.Uint64(b)
		at = time.Unix(int64(v&(1<<34-1)), int64(v>>34))
	case id == extTime && n == 12:
		at = time.Unix(int64(binary.BigEndian.Uint64(b[4:])), int64(binary.BigEndian.Uint32(b)))
	default:
		return errMsgpack
	}
	return u.quote(at.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"))
}
