package engineio

import "bytes"

// separator stands between the packets of a version 4 payload.
const separator = 0x1e

// decodePayload calls f for each packet of a POST body, in order, until one is
// malformed or f fails. It decodes in place.
func decodePayload(body []byte, version int, binary bool, f func(packet) error) error {
	switch {
	case version == 3 && binary:
		return decodeBinaryPayload3(body, f)
	case version == 3:
		return decodePayload3(body, f)
	case binary:
		return errPacket // version 4 sends binary data as base64 only
	}
	for more := true; more; {
		var one []byte
		one, body, more = bytes.Cut(body, []byte{separator})
		p, err := decodeText(one, 4)
		if err != nil {
			return err
		}
		// The packets before this one have been handled, as by the reference server.
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}

// appendPayload appends a message to the payload of a poll's answer. Binary data
// is base64 in both versions; version 3 has a binary form too, but every client
// that takes it takes this one.
func appendPayload(dst []byte, m *Message, version int) []byte {
	form := m.pollForm(version)
	if version == 3 {
		return append(appendLength3(dst, form), form...)
	}
	if len(dst) > 0 {
		dst = append(dst, separator)
	}
	return append(dst, form...)
}
