package socketio

import (
	library "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// adapter is what the library knows of a namespace's rooms: nothing, they are
// ours. Its calls tell when a socket opens and when it is gone. The embedded one
// of the library stays empty.
type adapter struct {
	library.Adapter
	server *Server
	name   string
}

// adapters makes the adapters of the library's namespaces.
type adapters struct{ server *Server }

func (a adapters) New(nsp library.Namespace) library.Adapter {
	one := &adapter{library.MakeAdapter(), a.server, nsp.Name()}
	one.Prototype(one)
	one.Construct(nsp)
	return one
}

// find returns our socket of an id, or nil.
func (a *adapter) find(id library.SocketId) *Socket {
	if ns := a.server.namespace(a.name); ns != nil {
		return ns.socket(string(id))
	}
	return nil
}

// AddAll is called with the room of the socket's id right before CONNECT is
// written.
func (a *adapter) AddAll(id library.SocketId, _ *types.Set[library.Room]) {
	if s := a.find(id); s != nil {
		s.opening()
	}
}

// DelAll is called once the library has let go of a socket, whatever the reason.
func (a *adapter) DelAll(id library.SocketId) {
	if s := a.find(id); s != nil {
		s.finish(s.conn.closeReason())
	}
}

func (a *adapter) Del(library.SocketId, library.Room) {}

// SocketRooms are no business of the library's.
func (a *adapter) SocketRooms(library.SocketId) *types.Set[library.Room] { return nil }

// RestoreSession is called before the library makes a socket for a client that
// wants its state back. What is missing is sent by [namespace.admit].
func (a *adapter) RestoreSession(pid library.PrivateSessionId, offset string) (*library.Session, error) {
	ns := a.server.namespace(a.name)
	if ns == nil || ns.log() == nil {
		return nil, nil
	}
	r := ns.log().restore(string(pid), offset)
	if r == nil {
		return nil, nil
	}
	return &library.Session{SessionToPersist: &library.SessionToPersist{
		Sid: library.SocketId(r.id), Pid: pid, Rooms: types.NewSet[library.Room](), Data: r,
	}}, nil
}
