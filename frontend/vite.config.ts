import { defineConfig } from "vite";

// The server sends a strict Content-Security-Policy: no inline script or style, no eval, files from /assets only.
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../src/visteer/server/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
  server: { proxy: { "/api": process.env.VISTEER_SERVER ?? "http://127.0.0.1:8000" } },
});
