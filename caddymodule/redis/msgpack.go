package redis

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
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
	in          *bytes.Reader // what is left for dec
	dec         *msgpack.Decoder
	text        bytes.Buffer
	attachments [][]byte
}

// unpack reads one value, and refuses what follows it.
func unpack(b []byte) (text json.RawMessage, attachments [][]byte, err error) {
	in := bytes.NewReader(b)
	u := unpacker{in: in, dec: msgpack.NewDecoder(in)}
	if err := u.value(maxDepth); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errMsgpack, err)
	}
	if in.Len() > 0 {
		return nil, nil, errMsgpack
	}
	return u.text.Bytes(), u.attachments, nil
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

// bytes reads a string or binary value. A length is believed only as far as there
// is input: the decoder would allocate what it is told, up to 4 GB.
func (u *unpacker) bytes() ([]byte, error) {
	n, err := u.dec.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > u.in.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	_, err = io.ReadFull(u.dec.Buffered(), b)
	return b, err
}

func (u *unpacker) string() error {
	b, err := u.bytes()
	if err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return errMsgpack
	}
	return u.quote(string(b))
}

// quote appends a JSON string.
func (u *unpacker) quote(s string) error {
	enc := json.NewEncoder(&u.text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
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
	u.attachments = append(u.attachments, b)
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
	return u.quote(at.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// packer turns JSON with placeholders into MessagePack.
type packer struct {
	text        []byte
	json        *json.Decoder
	out         *bytes.Buffer
	enc         *msgpack.Encoder
	attachments [][]byte
}

// pack appends the MessagePack form of a JSON value to out.
func pack(out *bytes.Buffer, text []byte, attachments [][]byte) error {
	p := packer{text: text, json: json.NewDecoder(bytes.NewReader(text)), out: out, attachments: attachments}
	p.json.UseNumber()
	p.enc = msgpack.NewEncoder(out)
	p.enc.UseCompactInts(true)
	return p.value()
}

var placeholder = regexp.MustCompile(`^\s*\{"_placeholder":true,"num":([0-9]{1,4})\}`)

func (p *packer) value() error {
	token, err := p.json.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case nil:
		return p.enc.EncodeNil()
	case bool:
		return p.enc.EncodeBool(v)
	case string:
		return p.enc.EncodeString(v)
	case json.Number:
		return p.number(v)
	case json.Delim:
		if v == '{' {
			return p.object()
		}
		return p.children(msgpcode.Array32)
	}
	return errMsgpack
}

func (p *packer) number(n json.Number) error {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return p.enc.EncodeInt(i)
	}
	f, err := n.Float64()
	if err != nil {
		return err
	}
	return p.enc.EncodeFloat64(f)
}

func (p *packer) object() error {
	if len(p.attachments) > 0 {
		if m := placeholder.FindSubmatch(p.text[p.json.InputOffset()-1:]); m != nil {
			i, err := strconv.Atoi(string(m[1]))
			if err != nil || i >= len(p.attachments) {
				return errMsgpack
			}
			for range 5 { // the keys, the values, the brace
				if _, err := p.json.Token(); err != nil {
					return err
				}
			}
			return p.enc.EncodeBytes(p.attachments[i])
		}
	}
	return p.children(msgpcode.Map32)
}

// children writes the elements of an array or object, whose number is known after
// them.
func (p *packer) children(code byte) error {
	at := p.out.Len()
	p.out.Write([]byte{code, 0, 0, 0, 0})
	n := uint32(0)
	for ; p.json.More(); n++ {
		if code == msgpcode.Map32 {
			if err := p.value(); err != nil {
				return err
			}
		}
		if err := p.value(); err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint32(p.out.Bytes()[at+1:], n)
	_, err := p.json.Token()
	return err
}
