import type { FormatPlugin } from "../../domain/config/format-plugin.ts";
import { decodeUtf8 } from "./text-position.ts";

/** Any UTF-8 text. Served as `charset=utf-8`, so other bytes are refused (they are `binary`). */
export const textPlugin: FormatPlugin = {
  name: "text",
  structured: false,
  parse: (bytes) => {
    const decoded = decodeUtf8(bytes);
    return decoded.ok ? { ok: true, value: decoded.text } : decoded;
  },
};
