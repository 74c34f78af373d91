/** How long an answer of the server may take, in ms. */
const ANSWER_TIMEOUT = 10_000;
/** Refusals that pass by themselves, and how long to wait before the next try, in ms. */
export const PASSING = ["timeout", "unavailable", "rate-limited"];
export const PAUSE = 2_000;

/**
 * Why the server refused an event: `code` is one of the gateway's stable codes, further fields such as `revision`
 * or `owner` are its details. Two codes are made here: `offline` and `timeout`, when no answer came.
 */
export class SignalingError extends Error {
  constructor({ message, ...details }) {
    super(message);
    this.name = "SignalingError";
    Object.assign(this, details);
  }
}

/**
 * Sends an event and resolves with its answer. For events outside a room too, such as `message` with
 * `{user, data}` to ring somebody, or `renew` with `{token}`.
 *
 * @param {import("socket.io-client").Socket} socket
 * @param {string} event
 * @param {object} payload
 * @param {(answer: object) => void} [apply] called with the answer before any later event is handled. The
 *   continuation of an `await` is not: all packets of one poll are handled before it runs.
 * @returns {Promise<object>} rejects with a SignalingError
 */
export function request(socket, event, payload, apply = () => {}) {
  return new Promise((resolve, reject) => {
    socket.timeout(ANSWER_TIMEOUT).emit(event, payload, (failure, answer) => {
      if (failure) {
        const code = socket.connected ? "timeout" : "offline";
        return reject(new SignalingError({ code, message: `${event}: ${failure.message}` }));
      }
      if (!answer.ok) return reject(new SignalingError(answer.error));
      apply(answer);
      resolve(answer);
    });
  });
}
