package socketio

import (
	"bytes"
	"errors"

	"github.com/caddy-socketio/caddy-socketio/internal/jsontext"
)

// maxDepth bounds the nesting of JSON from clients, whose decoding takes stack
// and time per level.
const maxDepth = 100

var errJSON = errors.New("malformed JSON")

// splitArray checks that text is one JSON array, by the rules of encoding/json,
// and appends its elements to into without decoding or copying them.
func splitArray[T ~[]byte](text []byte, limit int, into []T) ([]T, error) {
	i := skipSpace(text, 0)
	if i == len(text) || text[i] != '[' {
		return nil, errJSON
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == ']' {
		return into, endOfText(text, i+1)
	}
	for n := 0; n < limit; n++ {
		end, err := skipValue(text, i, maxDepth)
		if err != nil {
			return nil, err
		}
		into = append(into, T(text[i:end:end]))
		i = skipSpace(text, end)
		if i == len(text) {
			return nil, errJSON
		}
		switch text[i] {
		case ',':
			i = skipSpace(text, i+1)
		case ']':
			return into, endOfText(text, i+1)
		default:
			return nil, errJSON
		}
	}
	return nil, errTooManyArguments
}

// validJSON checks that text is one JSON value.
func validJSON(text []byte) error {
	i, err := skipValue(text, skipSpace(text, 0), maxDepth)
	if err != nil {
		return err
	}
	return endOfText(text, i)
}

func endOfText(text []byte, i int) error {
	if skipSpace(text, i) != len(text) {
		return errJSON
	}
	return nil
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i. depth is how many
// levels it may have.
func skipValue(text []byte, i, depth int) (int, error) {
	if i >= len(text) {
		return 0, errJSON
	}
	switch text[i] {
	case '"':
		return skipString(text, i+1)
	case '{', '[':
		if depth == 0 {
			return 0, errTooDeep
		}
		return skipNested(text, i, depth-1)
	case 't':
		return skipWord(text, i, "true")
	case 'f':
		return skipWord(text, i, "false")
	case 'n':
		return skipWord(text, i, "null")
	default:
		return skipNumber(text, i)
	}
}

// skipNested skips an object or array, which begins at i.
func skipNested(text []byte, i, depth int) (int, error) {
	object, closing := text[i] == '{', text[i]+2 // in ASCII, as both pairs are
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == closing {
		return i + 1, nil
	}
	for {
		var err error
		if object {
			if i, err = skipKey(text, i); err != nil {
				return 0, err
			}
		}
		if i, err = skipValue(text, i, depth); err != nil {
			return 0, err
		}
		i = skipSpace(text, i)
		switch {
		case i == len(text):
			return 0, errJSON
		case text[i] == closing:
			return i + 1, nil
		case text[i] != ',':
			return 0, errJSON
		}
		i = skipSpace(text, i+1)
	}
}

// skipKey skips a key and its colon.
func skipKey(text []byte, i int) (int, error) {
	if i >= len(text) || text[i] != '"' {
		return 0, errJSON
	}
	i, err := skipString(text, i+1)
	if err != nil {
		return 0, err
	}
	if i = skipSpace(text, i); i == len(text) || text[i] != ':' {
		return 0, errJSON
	}
	return skipSpace(text, i+1), nil
}

// skipString skips the rest of a string, from after its opening quote.
func skipString(text []byte, i int) (int, error) {
	for {
		i = jsontext.SkipPlain(text, i)
		switch {
		case i == len(text):
			return 0, errJSON
		case text[i] == '"':
			return i + 1, nil
		case text[i] != '\\', i+1 == len(text):
			return 0, errJSON
		case text[i+1] == 'u':
			if !fourHex(text[i+2:]) {
				return 0, errJSON
			}
			i += 6
		case bytes.IndexByte([]byte(`"\/bfnrt`), text[i+1]) < 0:
			return 0, errJSON
		default:
			i += 2
		}
	}
}

func fourHex(text []byte) bool {
	if len(text) < 4 {
		return false
	}
	for _, c := range text[:4] {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func skipWord(text []byte, i int, word string) (int, error) {
	if len(text)-i < len(word) || string(text[i:i+len(word)]) != word {
		return 0, errJSON
	}
	return i + len(word), nil
}

func skipNumber(text []byte, i int) (int, error) {
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if end := skipDigits(text, i); end > i {
		i = end
	} else {
		return 0, errJSON
	}
	if i < len(text) && text[i] == '.' {
		end := skipDigits(text, i+1)
		if end == i+1 {
			return 0, errJSON
		}
		i = end
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		end := skipDigits(text, i)
		if end == i {
			return 0, errJSON
		}
		i = end
	}
	return i, nil
}

func skipDigits(text []byte, i int) int {
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
