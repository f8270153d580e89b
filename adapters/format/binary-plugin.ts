import type { FormatPlugin } from "../../domain/config/format-plugin.ts";

/** Any bytes at all. */
export const binaryPlugin: FormatPlugin = {
  name: "binary",
  structured: false,
  parse: () => ({ ok: true, value: null }),
};
