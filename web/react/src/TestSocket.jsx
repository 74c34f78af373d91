import { useSocket } from "./useSocket.js";

/**
 * Shows the state of a Socket.IO connection, a button that sends `ping`, and what
 * the server says.
 *
 * @param {{url: string}} props origin of the server, with a namespace if not "/"
 */
export function TestSocket({ url }) {
  const { status, online, id, messages, send } = useSocket(url);
  return (
    <main>
      <h1>Socket.IO from React</h1>
      <p>
        This page is on <code>{location.origin}</code>, the server on <code>{url}</code>.
      </p>
      <p id="status" role="status" data-online={online}>
        {status}
      </p>
      {id && (
        <p>
          Socket id <code id="socket-id">{id}</code>
        </p>
      )}
      {/* Disabled while offline: the client would keep the ping and send it much later. */}
      <button id="ping" type="button" disabled={!online} onClick={() => send("ping")}>
        Send Ping
      </button>
      <h2 id="messages-title">Messages</h2>
      <ol id="messages" role="log" aria-labelledby="messages-title">
        {messages.map(({ key, text }) => (
          <li key={key}>{text}</li>
        ))}
      </ol>
    </main>
  );
}
