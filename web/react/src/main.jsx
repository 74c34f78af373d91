import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { TestSocket } from "./TestSocket.jsx";
import "./style.css";

// The server is another origin on purpose: this page exists to show CORS with
// credentials at work.
const server = import.meta.env.VITE_SERVER_URL ?? "http://localhost:3000";

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <TestSocket url={server} />
  </StrictMode>,
);
