package engineio

import (
	"strconv"
	"unicode/utf8"
)

// maxDigits bounds the length prefixes of version 3 payloads.
const maxDigits = 10

// decodePayload3 decodes "<length>:<packet>…". The length counts UTF-16 code
// units, since the reference client counts a JavaScript string's.
func decodePayload3(body []byte, f func(packet) error) error {
	if len(body) == 0 {
		return errPacket
	}
	for len(body) > 0 {
		n, rest, ok := cutLength(body)
		if !ok {
			return errPacket
		}
		end := unitsEnd(rest, n)
		if end < 0 {
			return errPacket
		}
		body = rest[end:]
		// The reference server skips empty packets in this version.
		if end == 0 {
			continue
		}
		p, err := decodeText(rest[:end], 3)
		if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}

// cutLength reads a decimal length up to its colon.
func cutLength(p []byte) (n int, rest []byte, ok bool) {
	for i, c := range p {
		switch {
		case c == ':':
			return n, p[i+1:], i > 0
		case c < '0' || c > '9' || i >= maxDigits:
			return 0, nil, false
		}
		n = n*10 + int(c-'0')
	}
	return 0, nil, false
}

// unitsEnd is the length in bytes of the first n UTF-16 code units of p, -1 when
// there are fewer or the n-th is half a character. Bytes that are no UTF-8 count
// one each here; decodeText refuses them.
func unitsEnd(p []byte, n int) int {
	i := 0
	for n > 0 && i < len(p) {
		r, size := utf8.DecodeRune(p[i:])
		i += size
		n -= units(r)
	}
	if n != 0 {
		return -1
	}
	return i
}

// units is the number of UTF-16 code units of a character.
func units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// appendLength3 appends the length prefix of a text packet.
func appendLength3(dst, form []byte) []byte {
	n := 0
	for i := 0; i < len(form); {
		r, size := utf8.DecodeRune(form[i:])
		i += size
		n += units(r)
	}
	return append(strconv.AppendInt(dst, int64(n), 10), ':')
}

// decodeBinaryPayload3 decodes packets that each stand behind 0 (text) or 1
// (binary), the digits of their length in bytes as numbers, and 255.
func decodeBinaryPayload3(body []byte, f func(packet) error) error {
	for len(body) > 0 {
		text := body[0] == 0
		if body[0] > 1 {
			return errPacket
		}
		n, i := 0, 1
		for ; i < len(body) && body[i] != 0xff; i++ {
			// Without a bound the digits alone could fill the number or the time.
			if body[i] > 9 || i > maxDigits {
				return errPacket
			}
			n = n*10 + int(body[i])
		}
		// No digits, no end of them, or fewer bytes than they say.
		if i == 1 || i >= len(body) || n > len(body)-i-1 {
			return errPacket
		}
		one := body[i+1 : i+1+n]
		body = body[i+1+n:]
		p, err := decodeBinary(one, 3)
		if text {
			p, err = decodeText(one, 3)
		}
		if err != nil {
			return err
		}
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}
