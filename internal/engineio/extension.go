package engineio

import (
	"net/http"
	"strings"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws/wsflate"
)

// deflateAnswer accepts permessage-deflate. Without context takeover one
// compressed frame serves all receivers, and no connection keeps a window.
const deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// offersDeflate reports whether the client offers permessage-deflate in a form
// that deflateAnswer accepts: any that leaves the server its full window.
func offersDeflate(h http.Header) bool {
	// A client may offer several forms in order of preference; any will do.
	options, ok := httphead.ParseOptions([]byte(strings.Join(h.Values("Sec-Websocket-Extensions"), ",")), nil)
	if !ok {
		return false
	}
	for _, o := range options {
		var p wsflate.Parameters
		if string(o.Name) == wsflate.ExtensionName && p.Parse(o) == nil &&
			(!p.ServerMaxWindowBits.Defined() || p.ServerMaxWindowBits == 15) {
			return true
		}
	}
	return false
}
