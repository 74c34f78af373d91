import { useCallback, useEffect, useRef, useState } from "react";
import { io } from "socket.io-client";

/** How many messages are kept for display. */
const KEPT = 100;

/**
 * Connects to a Socket.IO server for as long as the component is mounted.
 *
 * @param {string} url origin and namespace, such as "http://localhost:3000/webrtc"
 * @returns {{status: string, online: boolean, id?: string,
 *   messages: {key: number, text: string}[], send: (event: string) => void}}
 */
export function useSocket(url) {
  const socketRef = useRef(null);
  const keyRef = useRef(0);
  const [connection, setConnection] = useState({ status: "Connecting", online: false });
  const [messages, setMessages] = useState([]);

  useEffect(() => {
    const add = (text) =>
      setMessages((old) => [...old.slice(1 - KEPT), { key: ++keyRef.current, text }]);
    // withCredentials sends the server's cookies although it is another origin. The
    // server has to answer with `cors { origins <this one>; credentials }`.
    const socket = io(url, { withCredentials: true });
    socketRef.current = socket;

    socket.on("connect", () =>
      setConnection({ status: "Connected", online: true, id: socket.id }));
    socket.on("disconnect", (reason) => {
      setConnection({ status: socket.active ? "Reconnecting" : "Offline", online: false });
      add(`disconnected: ${reason}`);
    });
    socket.on("connect_error", (error) => {
      setConnection({ status: socket.active ? "Reconnecting" : "Refused", online: false });
      add(`could not connect: ${error.message}`);
    });
    socket.onAny((event, ...args) => add(`${event}: ${args.map(String).join(", ")}`));

    // Strict mode mounts twice: a socket that is not closed here would stay open.
    return () => {
      socket.off();
      socket.offAny();
      socket.disconnect();
    };
  }, [url]);

  const send = useCallback((event) => socketRef.current?.emit(event), []);
  return { ...connection, messages, send };
}
