// Package jsontext walks over JSON text once and checks its grammar (RFC 8259) on
// the way: what some send becomes part of what others receive, so text that is
// malformed would break their connections. It gives slices of the text and allocates
// nothing. Its functions have no state.
package jsontext

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Object calls member for each member of the object that raw is, with the key's
// raw text without quotes and the raw value. It reports whether raw is a
// well-formed object; of one that is not, some members may have been given. depth
// bounds its nesting: parsers of other languages recurse.
func Object(raw []byte, depth int, member func(key, value []byte)) bool {
	return whole(raw, '{', depth, func(i int) int { return skipMembers(raw, i, depth, member) })
}

// Array calls element for each element of the array that raw is, as [Object] does.
func Array(raw []byte, depth int, element func(value []byte)) bool {
	return whole(raw, '[', depth, func(i int) int { return skipElements(raw, i, depth, element) })
}

// whole reports whether rest, called behind the opening character, reads all of raw.
func whole(raw []byte, opening byte, depth int, rest func(i int) int) bool {
	i := skipSpace(raw, 0)
	if i == len(raw) || raw[i] != opening || depth <= 0 || !utf8.Valid(raw) {
		return false
	}
	end := rest(i + 1)
	return end >= 0 && skipSpace(raw, end) == len(raw)
}

// The functions below take the text and an index and return the index after what
// they read, or -1.

// skipSpace reads over what JSON allows between values.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipValue reads any value. Its depth is what may still nest inside; the recursion
// is bounded by it.
func skipValue(b []byte, i, depth int) int {
	if i >= len(b) || depth == 0 {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i+1)
	case '{':
		return skipMembers(b, i+1, depth-1, nil)
	case '[':
		return skipElements(b, i+1, depth-1, nil)
	case 't':
		return skipWord(b, i, "true")
	case 'f':
		return skipWord(b, i, "false")
	case 'n':
		return skipWord(b, i, "null")
	}
	return skipNumber(b, i)
}

// skipMembers reads on after the opening brace.
func skipMembers(b []byte, i, depth int, member func(key, value []byte)) int {
	if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for i < len(b) && b[i] == '"' {
		key := i + 1
		if i = skipString(b, key); i < 0 {
			return -1
		}
		keyEnd := i - 1
		if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
			return -1
		}
		value := skipSpace(b, i+1)
		if i = skipValue(b, value, depth); i < 0 {
			return -1
		}
		if member != nil {
			member(b[key:keyEnd], b[value:i:i])
		}
		if i = skipSpace(b, i); i == len(b) {
			return -1
		}
		if b[i] == '}' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = skipSpace(b, i+1)
	}
	return -1
}

// skipElements reads on after the opening bracket.
func skipElements(b []byte, i, depth int, element func(value []byte)) int {
	if i = skipSpace(b, i); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		value := i
		if i = skipValue(b, value, depth); i < 0 {
			return -1
		}
		if element != nil {
			element(b[value:i:i])
		}
		if i = skipSpace(b, i); i == len(b) {
			return -1
		}
		if b[i] == ']' {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = skipSpace(b, i+1)
	}
}

// skipString reads on after the opening quote.
func skipString(b []byte, i int) int {
	for i < len(b) {
		i = SkipPlain(b, i)
		if i == len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = skipEscape(b, i+1); i < 0 {
				return -1
			}
		default:
			i++
		}
	}
	return -1
}

// skipEscape reads on after a backslash.
func skipEscape(b []byte, i int) int {
	if i == len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for n := 1; n <= 4; n++ {
			if i+n >= len(b) || !isHex(b[i+n]) {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

// isHex is for the digits of a \u escape.
func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// skipWord reads true, false or null.
func skipWord(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// skipNumber reads a number by the grammar, which is stricter than strconv's: no
// leading zero or plus, and digits on both sides of the point.
func skipNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++ // nothing follows a leading zero
	} else if i = skipDigits(b, i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = skipDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return skipDigits(b, i)
	}
	return i
}

// skipDigits needs at least one.
func skipDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// Unquote returns the string whose raw text, without quotes, is given.
func Unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') >= 0 {
		return unescape(raw)
	}
	return string(raw)
}

// unescape is for text that the scanner has accepted, which cannot fail; a lone
// surrogate becomes U+FFFD.
func unescape(raw []byte) string {
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return string(raw)
	}
	return s
}
