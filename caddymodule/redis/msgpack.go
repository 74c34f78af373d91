package redis

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// The functions below append a value in MessagePack: its shortest form, but for
// arrays.

func appendString[T string | []byte](out []byte, s T) []byte {
	switch n := len(s); {
	case n < 32:
		out = append(out, msgpcode.FixedStrLow|byte(n))
	case n <= math.MaxUint8:
		out = append(out, msgpcode.Str8, byte(n))
	case n <= math.MaxUint16:
		out = binary.BigEndian.AppendUint16(append(out, msgpcode.Str16), uint16(n))
	default:
		out = binary.BigEndian.AppendUint32(append(out, msgpcode.Str32), uint32(n))
	}
	return append(out, s...)
}

func appendBinary(out, b []byte) []byte {
	switch n := len(b); {
	case n <= math.MaxUint8:
		out = append(out, msgpcode.Bin8, byte(n))
	case n <= math.MaxUint16:
		out = binary.BigEndian.AppendUint16(append(out, msgpcode.Bin16), uint16(n))
	default:
		out = binary.BigEndian.AppendUint32(append(out, msgpcode.Bin32), uint32(n))
	}
	return append(out, b...)
}

func appendInt(out []byte, n int64) []byte {
	switch {
	case n >= -32 && n <= math.MaxInt8:
		return append(out, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		return append(out, msgpcode.Uint8, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(out, msgpcode.Uint16), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(out, msgpcode.Uint32), uint32(n))
	case n >= 0:
		return binary.BigEndian.AppendUint64(append(out, msgpcode.Uint64), uint64(n))
	case n >= math.MinInt8:
		return append(out, msgpcode.Int8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(out, msgpcode.Int16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(out, msgpcode.Int32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(out, msgpcode.Int64), uint64(n))
}

func appendFloat(out []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(out, msgpcode.Double), math.Float64bits(f))
}

// appendStrings appends an array of names.
func appendStrings(out []byte, list []string) []byte {
	out = append(out, msgpcode.Array32)
	out = binary.BigEndian.AppendUint32(out, uint32(len(list)))
	for _, one := range list {
		out = appendString(out, strings.ToValidUTF8(one, "\uFFFD"))
	}
	return out
}
