package socketio

import "github.com/zishang520/socket.io/v3/pkg/types"

// deaf is an event emitter that takes no listeners. The library listens to
// sessions and decoders for packets, errors and closes, of which it is told by
// calls instead: listeners cost 500 bytes for each session.
type deaf struct{}

var _ types.EventEmitter = deaf{}

func (deaf) AddListener(types.EventName, ...types.EventListener) error { return nil }
func (deaf) On(types.EventName, ...types.EventListener) error          { return nil }
func (deaf) Once(types.EventName, ...types.EventListener) error        { return nil }
func (deaf) Emit(types.EventName, ...any)                              {}
func (deaf) RemoveListener(types.EventName, types.EventListener) bool  { return false }
func (deaf) RemoveAllListeners(types.EventName) bool                   { return false }
func (deaf) Clear()                                                    {}
func (deaf) Listeners(types.EventName) []types.EventListener           { return nil }
func (deaf) ListenerCount(types.EventName) int                         { return 0 }
func (deaf) EventNames() []types.EventName                             { return nil }
func (deaf) Len() int                                                  { return 0 }
