package caddymodule_test

import (
	"sync"
	"weak"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap/zapcore"
)

// tracked knows everything of a kind that was ever made, without holding it. Its
// methods may be called concurrently.
type tracked[T any] struct {
	mu  sync.Mutex
	all []weak.Pointer[T]
}

func (k *tracked[T]) add(v *T) *T {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, weak.Make(v))
	return v
}

// live is how many the garbage collector has left.
func (k *tracked[T]) live() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, one := range k.all {
		if one.Value() != nil {
			n++
		}
	}
	return n
}

// countedCore is a log core that writes nothing and is tracked, with all the
// cores that loggers derive from it.
type countedCore struct {
	zapcore.Core `json:"-"`
}

var logCores tracked[countedCore]

func init() { caddy.RegisterModule(new(countedCore)) }

func (*countedCore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.cores.counted", New: func() caddy.Module {
		return logCores.add(&countedCore{zapcore.NewNopCore()})
	}}
}

func (*countedCore) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (c *countedCore) With(fields []zapcore.Field) zapcore.Core {
	return logCores.add(&countedCore{c.Core.With(fields)})
}
