/**
 * The one place that says where the Socket.IO client comes from. `npm ci` in this
 * folder puts it there; a page that bundles its modules imports "socket.io-client"
 * instead, and one that uses `serve_client` imports it from the server itself.
 */
export { io } from "../node_modules/socket.io-client/dist/socket.io.esm.min.js";
