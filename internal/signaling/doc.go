// Package signaling is the domain of the webrtc gateway: rooms in which peers
// find each other, and the relay of what they have to tell each other before
// (and beside) a WebRTC connection. It knows neither Caddy nor Socket.IO: sockets
// come in as [Conn], events as JSON text through [Client.Handle], and what is
// sent goes out through [Conn] and [Fanout].
//
// # Order
//
// Whatever changes a room is one step on its [Room], made by [Store.Update]: the
// check, the change, the answer of a join and the events that tell of it. Steps
// of one room exclude each other, so every receiver sees them in one order, and
// the answer of a join is a snapshot that later events continue. Relays and
// messages only look at a room ([Store.View]); they exclude steps, not each
// other, and keep the order of their sender because a socket's events are
// handled one at a time.
//
// Batches of presence (see [Options.PresenceAbove]) are the exception: in large
// rooms the news about a peer can come up to one interval after its first
// message.
//
// # Events
//
// These are the events of a client, with the fields of its payload and of the
// answer. All answers also have {ok: true}; errors are [*Error].
//
//	join        {room, state?, resume?}          {room, self, resumed, peers, cursor?, count, locked,
//	                                              metadata, revision, locks, iceServers, iceExpires?, resume}
//	leave       {room}                           {}
//	offer       {room, to, description}          {}
//	answer      {room, to, description}          {}
//	candidate   {room, to, candidate}            {}
//	message     {room, to?, data}                {delivered}
//	message     {user, data}                     {delivered}
//	state       {room, state}                    {}
//	peers       {room, cursor?, limit?}          {peers, count, cursor?}
//	metadata    {room, set?, remove?, revision?} {metadata, revision}
//	lock        {room, name, ttl?}               {lock}
//	unlock      {room, name}                     {}
//	ice-servers {room}                           {iceServers, iceExpires?}
//	moderate    {room, action, peer?, value?}    {}
//
// Clients are told by peer-joined, peer-left, peer-away, peer-back, peer-state,
// presence, offer, answer, candidate, message, metadata, lock and moderation. A
// batch of presence and a moderation go to everyone they concern, so a client can
// find its own id in them. Someone who is put out of a room (kicked, replaced,
// closed) is told peer-left of itself; someone who leaves is not.
//
// # Losses
//
// What is sent to a peer waits from the moment its socket is known to be gone.
// What was on the way before that is the transport's: connection state recovery
// sends it again, a resume does not, and its client renegotiates.
//
// # Bounds
//
// Everything a client can make the package keep is bounded: state, metadata and
// messages by [Options.MaxMessage], descriptions by [Options.MaxDescription], a
// peer's waiting events by 64 and 256 KiB, locks by 64 and metadata keys by 64
// per room, rooms by 1000 per socket, a page of peers by 100 and 256 KiB, a batch
// of presence by 1024 peers and 256 KiB, nesting of JSON by 100.
package signaling
