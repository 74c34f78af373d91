package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"unicode/utf8"
)

// Packet types, which are the same in both protocol versions.
const (
	packetOpen    = '0'
	packetClose   = '1'
	packetPing    = '2'
	packetPong    = '3'
	packetMessage = '4'
	packetUpgrade = '5'
	packetNoop    = '6'
)

// errPacket is what every decoder returns for bytes that are no packet.
var errPacket = errors.New("malformed packet")

// packet is one decoded packet. data may be a part of the decoded buffer, which is
// used again: whoever keeps it copies it.
type packet struct {
	kind   byte
	binary bool
	data   []byte
}

// decodeText decodes a packet that was sent as text: a type digit and data, or
// "b" and base64, which protocol version 3 writes with the type in between.
func decodeText(p []byte, version int) (packet, error) {
	// A POST can hold any bytes; whoever gets the text on a websocket would close
	// the connection over invalid ones.
	if len(p) == 0 || !utf8.Valid(p) {
		return packet{}, errPacket
	}
	if p[0] != 'b' {
		if p[0] < packetOpen || p[0] > packetNoop {
			return packet{}, errPacket
		}
		return packet{kind: p[0], data: p[1:]}, nil
	}
	p = p[1:]
	if version == 3 {
		if len(p) == 0 || p[0] != packetMessage {
			return packet{}, errPacket
		}
		p = p[1:]
	}
	data, err := decodeBase64(p)
	return packet{kind: packetMessage, binary: true, data: data}, err
}

// decodeBinary decodes a packet that was sent as binary: the bare data of a
// message, which protocol version 3 writes behind the number of its type.
func decodeBinary(p []byte, version int) (packet, error) {
	if version != 3 {
		return packet{kind: packetMessage, binary: true, data: p}, nil
	}
	if len(p) == 0 || p[0] > packetNoop-'0' {
		return packet{}, errPacket
	}
	return packet{kind: '0' + p[0], binary: true, data: p[1:]}, nil
}

// decodeBase64 decodes the standard alphabet in place, with or without padding.
func decodeBase64(p []byte) ([]byte, error) {
	// Strictly otherwise: what Node skips over silently (line breaks, stray
	// characters) is a sign of a broken client or of an attempt.
	if bytes.ContainsAny(p, "\r\n") { // which Go's decoder would skip, too
		return nil, errPacket
	}
	for range 2 {
		if n := len(p); n > 0 && p[n-1] == '=' {
			p = p[:n-1]
		}
	}
	n, err := base64.RawStdEncoding.Decode(p, p)
	if err != nil {
		return nil, errPacket
	}
	return p[:n], nil
}
