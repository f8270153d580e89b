import type { FormatPlugin } from "../../domain/config/format-plugin.ts";
import { binaryPlugin } from "./binary-plugin.ts";
import { jsonPlugin } from "./json-plugin.ts";
import { propertiesPlugin } from "./properties-plugin.ts";
import { textPlugin } from "./text-plugin.ts";
import { tomlPlugin } from "./toml-plugin.ts";
import { yamlPlugin } from "./yaml-plugin.ts";

const PLUGINS: readonly FormatPlugin[] = [
  jsonPlugin,
  yamlPlugin,
  tomlPlugin,
  propertiesPlugin,
  textPlugin,
  binaryPlugin,
];
const BY_NAME: ReadonlyMap<string, FormatPlugin> = new Map(PLUGINS.map((plugin) => [plugin.name, plugin]));

/** Formats that content can have, in the order they are shown to people. */
export const SUPPORTED_FORMATS: readonly string[] = PLUGINS.map((plugin) => plugin.name);

/** The plugin of a format; undefined when there is none (yet). */
export function formatPlugin(name: string): FormatPlugin | undefined {
  return BY_NAME.get(name);
}
