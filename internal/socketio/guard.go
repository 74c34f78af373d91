package socketio

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/caddy-socketio/caddy-socketio/caddymodule/gateway"
)

// panicError is the panic of a gateway's code.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// guard calls f and turns a panic into an error.
func guard(f func() error) (err error) {
	defer recoverTo(&err)
	return f()
}

// recoverTo stores a panic in err; it must be deferred.
func recoverTo(err *error) {
	if v := recover(); v != nil {
		*err = &panicError{v, debug.Stack()}
	}
}

// internalError is all that a client learns of an error that is none of its own.
var internalError = &gateway.Error{Code: "internal", Message: "internal"}

// toClient is the form of an error that a client may see, complete.
func toClient(err error) *gateway.Error {
	var own *gateway.Error
	if !errors.As(err, &own) || own.Code == "internal" {
		return internalError
	}
	c := &gateway.Error{Code: own.Code, Message: own.Message, Data: own.Data}
	if c.Code == "" {
		c.Code = "error"
	}
	if c.Message == "" {
		c.Message = c.Code
	}
	return c
}

// cause is what the log gets of an error; nil when the client has been told all.
func cause(err error) error {
	var own *gateway.Error
	if errors.As(err, &own) {
		return own.Cause
	}
	return err
}

// logFailure logs what the client must not see of an error.
func (s *Socket) logFailure(event string, err error) {
	hidden := cause(err)
	if hidden == nil {
		return
	}
	fields, reason := []zap.Field{zap.String("event", event), zap.Error(hidden)}, "error"
	var p *panicError
	if errors.As(err, &p) {
		fields, reason = append(fields, zap.ByteString("stack", p.stack)), "panic"
	}
	// Whoever has found what makes a handler fail can send it all day.
	s.ns.server.incidents().Line(zap.ErrorLevel, "handler failed", reason, s.fields(fields...)...)
}
