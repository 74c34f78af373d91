package caddymodule

import (
	"net/http"
	"time"
)

// cookie makes the session's cookie; the session's id becomes its value.
func (h *Handler) cookie(value string) *http.Cookie {
	c := h.SessionCookie
	sameSite := http.SameSiteLaxMode
	switch c.SameSite {
	case "strict":
		sameSite = http.SameSiteStrictMode
	case "none":
		sameSite = http.SameSiteNoneMode
	}
	return &http.Cookie{
		Name: c.Name, Value: value, Path: c.Path, Domain: c.Domain,
		MaxAge: int(time.Duration(c.MaxAge) / time.Second),
		Secure: c.Secure, HttpOnly: !c.ScriptAccess, SameSite: sameSite,
	}
}
