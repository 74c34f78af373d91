package jsontext

import "encoding/binary"

// SkipPlain returns the end of the bytes, from i on, that mean themselves in a
// JSON string: all but control characters, the quote and the backslash. It reads
// eight at a time while it can, since nearly all of what clients send is that.
func SkipPlain(b []byte, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, escape := w^(ones*'"'), w^(ones*'\\')
		// A byte's high bit is set where the byte is below a space, or where the
		// one after the exclusive or is zero. Carries give false alarms only, and
		// these only above a true one.
		if ((w-ones*' ')&^w|(quote-ones)&^quote|(escape-ones)&^escape)&highs != 0 {
			break
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}
