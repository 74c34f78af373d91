//go:build !unix

package engineio

import "net"

// newTCPStream has no non-blocking form here; the general stream serves.
func newTCPStream(*net.TCPConn) stream { return nil }
