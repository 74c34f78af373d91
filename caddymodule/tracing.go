package caddymodule

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-socketio/caddy-socketio/internal/engineio"
)

// spans is the tracing of all servers: as Caddy has one provider for all of its
// configs, which ends with the last that has the tracing handler.
var spans tracing

// tracing begins spans with Caddy's provider, which is known by the requests that
// come through the tracing handler. Without that handler it costs nothing. Its
// methods may be called concurrently.
type tracing struct {
	provider atomic.Pointer[trace.TracerProvider]
}

const tracerName = modulePath

// handshake begins a span for a request that opens a session, under the span of
// the request. The session's events will be linked to it.
func (t *tracing) handshake(r *http.Request, c *engineio.Client) (finish func()) {
	parent := trace.SpanFromContext(r.Context())
	if !parent.IsRecording() {
		return func() {}
	}
	transport, id := engineio.Asked(r)
	if id != "" {
		return func() {}
	}
	provider := parent.TracerProvider()
	t.provider.Store(&provider)
	_, span := provider.Tracer(tracerName).Start(r.Context(), "socketio handshake",
		trace.WithAttributes(attribute.String("socketio.transport", transport)))
	c.Trace = span.SpanContext()
	opened := c.Opened
	// A websocket inside a stream of HTTP/2 holds the request until its end.
	c.Opened = func(id string) {
		span.End()
		if opened != nil {
			opened(id)
		}
	}
	return func() { span.End() }
}

// event begins the span of an event. It is the root of a trace of its own, since
// a connection's would have no end, and is linked to the handshake that opened
// the session. The error's text may be secret and stays out of it.
func (t *tracing) event(ctx context.Context, origin any, ns, event string) (context.Context, func(error)) {
	provider := t.provider.Load()
	if provider == nil {
		return ctx, func(error) {}
	}
	handshake, _ := origin.(trace.SpanContext)
	ctx, span := (*provider).Tracer(tracerName).Start(ctx, "socketio event",
		trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: handshake}),
		trace.WithAttributes(attribute.String("socketio.namespace", ns), attribute.String("socketio.event", event)))
	if !span.SpanContext().IsValid() {
		// The provider has ended with its config, and must not be kept.
		t.provider.CompareAndSwap(provider, nil)
	}
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
