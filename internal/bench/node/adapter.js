// The adapters of a cluster, with their defaults.
import { createAdapter as createPubSub } from "@socket.io/redis-adapter";
import { createAdapter as createStreams } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";

/** The named adapter, undefined for none, which is socket.io's own. */
export async function adapter(name, url) {
  if (!name) return undefined;
  const clients = [createClient({ url }), createClient({ url })];
  for (const client of clients) {
    client.on("error", (error) => console.error(`redis: ${error.message}`));
    await client.connect();
  }
  return name === "streams" ? createStreams(clients[0]) : createPubSub(...clients);
}
