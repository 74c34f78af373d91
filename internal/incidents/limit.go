package incidents

// Limit is one of the bounds on what clients may take. The set is fixed, so that
// it can label metrics.
type Limit string

// Limits of the server, by their option where they have one.
const (
	Connections            Limit = "connections"
	ConnectionsPerIP       Limit = "connections_per_ip"
	HandshakesPerIP        Limit = "handshakes_per_ip"
	Unauthenticated        Limit = "unauthenticated"
	UnauthenticatedPerIP   Limit = "unauthenticated_per_ip"
	UnauthenticatedTimeout Limit = "connect_timeout"
)

// Limits of one session or socket.
const (
	SendBuffer           Limit = "send_buffer"
	EventsPerSocket      Limit = "events_per_socket"
	BytesPerSocket       Limit = "bytes_per_socket"
	ControlPackets       Limit = "control_packets"
	NamespacesPerSession Limit = "namespaces_per_session"
	DynamicNamespaces    Limit = "dynamic_namespaces"
	RoomsPerSocket       Limit = "rooms_per_socket"
	PendingAcks          Limit = "pending_acks"
)

// Limits of one message.
const (
	MaxPayload    Limit = "max_payload"
	EventName     Limit = "event_name"
	NamespaceName Limit = "namespace_name"
	Nesting       Limit = "nesting"
	Arguments     Limit = "arguments"
	Attachments   Limit = "attachments"
)

// Limits are all of them.
func Limits() []Limit {
	return []Limit{
		Connections, ConnectionsPerIP, HandshakesPerIP, Unauthenticated, UnauthenticatedPerIP, UnauthenticatedTimeout,
		SendBuffer, EventsPerSocket, BytesPerSocket, ControlPackets, NamespacesPerSession, DynamicNamespaces,
		RoomsPerSocket, PendingAcks,
		MaxPayload, EventName, NamespaceName, Nesting, Arguments, Attachments,
	}
}
