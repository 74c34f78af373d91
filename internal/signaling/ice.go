package signaling

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // TURN servers of this kind know no other hash
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

// maxTURNUser bounds the user in a TURN username, since STUN bounds a username
// by 508 bytes. A user with a longer id goes by its peer's.
const maxTURNUser = 480

// iceServers handles "ice-servers" {room}. It answers {iceServers, iceExpires?} with
// credentials that are good for the full time again. They are for those in a room
// only, so that nobody else can use the TURN servers.
func (c *Client) iceServers(raw json.RawMessage, answer Answer) error {
	p, err := parse(raw, "room")
	if err != nil {
		return err
	}
	return c.look(&p, func(_ *Room, p *Peer) error {
		b := c.service.opts.Load().appendICE([]byte(`{"ok":true,`), p, time.Now())
		answer(append(b, '}'))
		return nil
	})
}

// appendICE appends the fields iceServers and, if a credential ends, iceExpires
// with the earliest end.
func (o *Options) appendICE(b []byte, p *Peer, now time.Time) []byte {
	user := p.user
	if user == "" || len(user) > maxTURNUser {
		user = p.id
	}
	b = append(b, `"iceServers":[`...)
	first := true
	separate := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
	}
	for _, s := range o.ICE {
		separate()
		b = appendServer(b, s.URLs, s.Username, s.Credential)
	}
	var earliest time.Time
	for _, t := range o.TURN {
		separate()
		expires := now.Add(t.TTL)
		username, credential := t.credentials(user, expires)
		b = appendServer(b, t.URLs, username, credential)
		if earliest.IsZero() || expires.Before(earliest) {
			earliest = expires
		}
	}
	b = append(b, ']')
	if !earliest.IsZero() {
		// TURN servers count whole seconds.
		b = append(b, `,"iceExpires":`...)
		b = strconv.AppendInt(b, earliest.Unix()*1000, 10)
	}
	return b
}

// credentials makes those of coturn's use-auth-secret: the password is the
// HMAC-SHA1 of the username, which tells until when it is good.
func (t *TURNServer) credentials(user string, expires time.Time) (username, credential string) {
	username = strconv.FormatInt(expires.Unix(), 10) + ":" + user
	mac := hmac.New(sha1.New, []byte(t.Secret))
	mac.Write([]byte(username))
	return username, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// appendServer appends an RTCIceServer. Browsers refuse a STUN server with an empty
// username, so that credentials are there as a pair or not at all.
func appendServer(b []byte, urls []string, username, credential string) []byte {
	b = append(b, `{"urls":[`...)
	for i, u := range urls {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, u)
	}
	b = append(b, ']')
	if username != "" {
		b = appendText(append(b, `,"username":`...), username)
		b = appendText(append(b, `,"credential":`...), credential)
	}
	return append(b, '}')
}
