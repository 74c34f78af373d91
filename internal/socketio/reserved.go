package socketio

// reserved reports whether an event's name has a meaning of its own, so that
// neither side may emit it; the list is the reference parser's.
func reserved[T ~string | ~[]byte](name T) bool {
	switch string(name) {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}
