import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The port is part of the origin that the server's `cors` block allows, so a taken
// port is an error rather than a silent move to the next one.
export default defineConfig({
  plugins: [react()],
  server: { host: "localhost", port: 5173, strictPort: true },
  preview: { host: "localhost", port: 5173, strictPort: true },
});
