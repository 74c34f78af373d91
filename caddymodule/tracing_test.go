package caddymodule_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// recorded is a handler that gives requests a span, as Caddy's tracing does, of a
// provider that tests can read.
type recorded struct{}

var recorder = tracetest.NewSpanRecorder()

var provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))

func init() {
	caddy.RegisterModule(recorded{})
	httpcaddyfile.RegisterHandlerDirective("recorded", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return recorded{}, nil
	})
}

func (recorded) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.recorded", New: func() caddy.Module { return recorded{} }}
}

func (recorded) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (recorded) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ctx, span := provider.Tracer("test").Start(r.Context(), "request")
	defer span.End()
	return next.ServeHTTP(w, r.WithContext(ctx))
}

// spansOf are the finished spans of a name.
func spansOf(name string) (all []sdktrace.ReadOnlySpan) {
	for _, s := range recorder.Ended() {
		if s.Name() == name {
			all = append(all, s)
		}
	}
	return all
}

func TestEventsAreTraced(t *testing.T) {
	serve(t, "route {\nrecorded\nsocketio {\nname traced\n}\n}")
	p := open(t, engine)
	p.send(`421["ping"]`)
	p.receive()
	p.send("422[\"made-up-secret\"]")
	p.receive()
	// Live sessions are traced on after a reload.
	serve(t, "header X-Changed 1\nroute {\nrecorded\nsocketio {\nname traced\n}\n}")
	p.send(`423["join",{"room":"r"}]`)
	p.receive()
	// A span ends after the answer, but before the next event.
	p.send(`424["ping"]`)
	for !strings.Contains(p.receive(), "434[") {
	}
	handshakes := spansOf("socketio handshake")
	if len(handshakes) != 1 || !handshakes[0].Parent().IsValid() {
		t.Fatalf("%d handshakes", len(handshakes))
	}
	var seen []string
	for _, s := range spansOf("socketio event")[:3] {
		set := attribute.NewSet(s.Attributes()...)
		event, _ := set.Value("socketio.event")
		ns, _ := set.Value("socketio.namespace")
		seen = append(seen, event.AsString())
		if ns.AsString() != "/" || s.Parent().IsValid() || len(s.Links()) != 1 ||
			s.Links()[0].SpanContext.TraceID() != handshakes[0].SpanContext().TraceID() {
			t.Errorf("%s in %s: parent %v, links %v", event.AsString(), ns.AsString(), s.Parent(), s.Links())
		}
		if failed := s.Status().Code == codes.Error; failed != (event.AsString() == "other") {
			t.Errorf("%s: %+v", event.AsString(), s.Status())
		}
	}
	if got := strings.Join(seen, " "); got != "ping other join" {
		t.Errorf("events %q", got)
	}
}

func TestWithoutTracingNothingIsTraced(t *testing.T) {
	serve(t, "socketio {\nname untraced\n}")
	before := len(recorder.Ended())
	p := open(t, engine)
	p.send(`421["ping"]`)
	p.receive()
	if n := len(recorder.Ended()); n != before {
		t.Errorf("%d spans", n-before)
	}
}
