package redis

import (
	"bytes"
	"encoding/binary"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// packer turns JSON with placeholders into MessagePack, in one pass.
type packer struct {
	text        []byte
	at          int // in text
	out         []byte
	attachments [][]byte
}

// pack appends the MessagePack form of a JSON value to out.
func pack(out, text []byte, attachments [][]byte) ([]byte, error) {
	p := packer{text: text, out: slices.Grow(out, len(text)+64), attachments: attachments}
	if err := p.value(maxDepth); err != nil {
		return nil, err
	}
	if p.next() != 0 {
		return nil, errText
	}
	return p.out, nil
}

// next is the first byte of what comes, or 0 at the end.
func (p *packer) next() byte {
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (p *packer) value(depth int) error {
	if depth == 0 {
		return errDepth
	}
	switch p.next() {
	case '"':
		return p.string()
	case '{':
		if i, ok := p.placeholder(); ok {
			if i >= len(p.attachments) {
				return errMsgpack
			}
			p.out = appendBinary(p.out, p.attachments[i])
			return nil
		}
		return p.children(msgpcode.Map32, '}', depth)
	case '[':
		return p.children(msgpcode.Array32, ']', depth)
	case 't', 'f', 'n':
		return p.word()
	}
	return p.number()
}

func (p *packer) string() error {
	begin := p.at + 1
	for end := jsontext.SkipPlain(p.text, begin); end < len(p.text); end = jsontext.SkipPlain(p.text, end) {
		switch p.text[end] {
		case '"':
			p.at = end + 1
			if raw := p.text[begin:end]; bytes.IndexByte(raw, '\\') < 0 {
				p.out = appendString(p.out, raw)
			} else {
				p.out = appendString(p.out, jsontext.Unquote(raw))
			}
			return nil
		case '\\':
			end += 2
		default:
			return errText
		}
	}
	return errText
}

func (p *packer) word() error {
	switch rest := p.text[p.at:]; {
	case bytes.HasPrefix(rest, []byte("true")):
		p.at += len("true")
		p.out = append(p.out, msgpcode.True)
	case bytes.HasPrefix(rest, []byte("false")):
		p.at += len("false")
		p.out = append(p.out, msgpcode.False)
	case bytes.HasPrefix(rest, []byte("null")):
		p.at += len("null")
		p.out = append(p.out, msgpcode.Nil)
	default:
		return errText
	}
	return nil
}

func (p *packer) number() error {
	rest := p.text[p.at:]
	if end := bytes.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("+-.0123456789Ee", r) }); end >= 0 {
		rest = rest[:end]
	}
	p.at += len(rest)
	if i, err := strconv.ParseInt(string(rest), 10, 64); err == nil {
		p.out = appendInt(p.out, i)
		return nil
	}
	f, err := strconv.ParseFloat(string(rest), 64)
	if err != nil {
		return errors.Join(errText, err)
	}
	p.out = appendFloat(p.out, f)
	return nil
}

var placeholder = regexp.MustCompile(`^\{"_placeholder":true,"num":([0-9]{1,4})\}`)

// placeholder reads what stands for an attachment.
func (p *packer) placeholder() (i int, ok bool) {
	if len(p.attachments) == 0 {
		return 0, false
	}
	m := placeholder.FindSubmatch(p.text[p.at:])
	if m == nil {
		return 0, false
	}
	p.at += len(m[0])
	i, _ = strconv.Atoi(string(m[1])) // four digits at most
	return i, true
}

// children writes the elements of an array or object, whose number is known after
// them.
func (p *packer) children(code, closing byte, depth int) error {
	at := len(p.out)
	p.out = append(p.out, code, 0, 0, 0, 0)
	p.at++
	n := uint32(0)
	for ; p.next() != closing; n++ {
		if n > 0 && !p.skip(',') {
			return errText
		}
		if code == msgpcode.Map32 {
			if p.next() != '"' {
				return errText
			}
			if err := p.string(); err != nil {
				return err
			}
			if !p.skip(':') {
				return errText
			}
		}
		if err := p.value(depth - 1); err != nil {
			return err
		}
	}
	p.at++
	binary.BigEndian.PutUint32(p.out[at+1:], n)
	return nil
}

// skip reads a byte that must come.
func (p *packer) skip(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}
