package socketio

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	library "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// startLibrary makes the library's server, with our parser and adapter in it. All
// namespaces but "/" are children of one parent, which is the only kind that the
// library can remove again.
func (s *Server) startLibrary() {
	options := &libraryOptions{ServerOptions: library.DefaultServerOptions(), server: s}
	options.SetParser(wire{})
	options.SetAdapter(adapters{s})
	options.SetServeClient(false)
	options.SetCleanupEmptyChildNamespaces(true)
	s.io = library.NewServer(nil, options)
	s.io.Sockets().Use(s.middleware)
	_ = s.io.Sockets().On("connection", s.onConnection)
	// The parent matches nothing: children are made by openLibrary alone, since
	// two connections at once could make the same child twice.
	never := func(_ string, _ map[string]any, next func(error, bool)) { next(nil, false) }
	match := library.ParentNspNameMatchFn(&never)
	s.parent = s.io.Of(match, nil).(library.ParentNamespace)
	s.parent.Use(s.middleware)
	_ = s.parent.On("connection", s.onConnection)
}

// openLibrary makes the library's namespace of a name. It must be called with
// nsMu held.
func (s *Server) openLibrary(name string) library.Namespace {
	if name == "/" {
		return s.io.Sockets()
	}
	nsp := s.parent.CreateChild(name)
	nsp.Sockets().Store(pin.Id(), pin)
	return nsp
}

// closeLibrary removes the library's namespace. It must be called with nsMu held.
func (s *Server) closeLibrary(nsp library.Namespace) {
	if nsp.Name() != "/" {
		nsp.Remove(pin)
	}
}

// pin is a socket without id that keeps a namespace of the library from being
// removed with its last socket; we know better when to.
var pin = library.MakeSocket()

// emptyRequest is what the library sees as the request of every session. It
// would keep a copy of the headers and the query for each socket, about 1 KB.
var emptyRequest = types.NewHttpContext(noWriter{}, &http.Request{URL: &url.URL{}, Header: http.Header{}})

// lighten frees what nobody asks a socket of the library for: its listeners, since
// it has none of ours, and the handshake apart from the auth payload.
func lighten(lib *library.Socket) {
	lib.StrictEventEmitter = noListeners
	*lib.Handshake() = library.Handshake{Auth: lib.Handshake().Auth}
}

var noListeners = library.NewStrictEventEmitter()

type noWriter struct{}

func (noWriter) Header() http.Header         { return http.Header{} }
func (noWriter) Write(p []byte) (int, error) { return len(p), nil }
func (noWriter) WriteHeader(int)             {}

// libraryOptions lets the library see whether recovery is on in the settings of
// the moment.
type libraryOptions struct {
	*library.ServerOptions
	server *Server
}

func (o *libraryOptions) ConnectionStateRecovery() library.ConnectionStateRecoveryInterface {
	if o.server.settings().Recovery == 0 {
		return nil
	}
	return recoveryOn
}

// recoveryOn never skips middleware: that is where our side of a socket is made,
// and a restored client must still be allowed in.
var recoveryOn = func() library.ConnectionStateRecoveryInterface {
	r := library.DefaultConnectionStateRecovery()
	r.SetSkipMiddlewares(false)
	return r
}()

// wire is the library's parser, its encoder and its decoder, which gets nothing to
// decode.
type wire struct{ deaf }

func (wire) NewEncoder() parser.Encoder { return wire{} }
func (wire) NewDecoder() parser.Decoder { return wire{} }
func (wire) Add(any) error              { return nil }
func (wire) Destroy()                   {}

// Encode encodes CONNECT, CONNECT_ERROR and DISCONNECT, which is all that the
// library sends.
func (wire) Encode(p *parser.Packet) []types.BufferInterface {
	text := []byte{byte(p.Type) + '0'}
	if p.Nsp != "/" {
		text = append(append(text, p.Nsp...), ',')
	}
	if p.Data != nil {
		data, err := json.Marshal(p.Data)
		if err != nil { // what we gave to the library has been encoded before
			data = []byte(`{"message":"internal"}`)
		}
		text = append(text, data...)
	}
	return []types.BufferInterface{types.NewStringBuffer(text)}
}
