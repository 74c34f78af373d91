package signaling

// The codes that clients are told. They are stable.
const (
	CodeInvalidPayload  = "invalid-payload"
	CodeTooLarge        = "too-large"
	CodeUnknownEvent    = "unknown-event"
	CodeNotInRoom       = "not-in-room"
	CodePeerUnavailable = "peer-unavailable"
	CodeRoomFull        = "room-full"
	CodeRoomLocked      = "room-locked"
	CodeTooManyRooms    = "too-many-rooms"
	CodeDuplicateUser   = "duplicate-user"
	CodeForbidden       = "forbidden"
	CodeConflict        = "conflict"
	CodeLockHeld        = "lock-held"
	CodeUnavailable     = "unavailable"
	CodeInternal        = "internal"
)

// Error is an error that the client is told of.
type Error struct {
	// Code is one of the Code constants.
	Code string
	// Message is a sentence for people.
	Message string
	// Data are further fields of the error, next to code and message.
	Data map[string]any
}

// Error is for logs; clients see code and message apart.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// invalid is the error for a field that is missing or wrong. The message must name
// the field.
func invalid(message string) error { return &Error{Code: CodeInvalidPayload, Message: message} }

// tooLarge is the error for what is over one of the bounds of size or number.
func tooLarge(message string) error { return &Error{Code: CodeTooLarge, Message: message} }

// Errors without detail are made once. A peer that is unknown, in another room
// or not reachable is one and the same error, so that it tells nothing.
var (
	errNotInRoom       = &Error{Code: CodeNotInRoom, Message: "you are not in that room"}
	errPeerUnavailable = &Error{Code: CodePeerUnavailable, Message: "that peer cannot be reached"}
	errRoomFull        = &Error{Code: CodeRoomFull, Message: "the room is full"}
	errRoomLocked      = &Error{Code: CodeRoomLocked, Message: "the room is locked"}
	errTooManyRooms    = &Error{Code: CodeTooManyRooms, Message: "you are in too many rooms"}
	errDuplicateUser   = &Error{Code: CodeDuplicateUser, Message: "you are in that room already"}
	errRoomForbidden   = &Error{Code: CodeForbidden, Message: "you may not enter that room"}
	errHostsOnly       = &Error{Code: CodeForbidden, Message: "only a host may do that"}
	errDirectOff       = &Error{Code: CodeForbidden, Message: "messages to users are off"}
	errAnonymous       = &Error{Code: CodeForbidden, Message: "messages to users need an identity"}
	errForeignLock     = &Error{Code: CodeForbidden, Message: "another peer has that lock"}
	errUnavailable     = &Error{Code: CodeUnavailable, Message: "the server cannot reach its cluster; try again"}
	errClosed          = &Error{Code: CodeInternal, Message: "the gateway is closed"}
)
