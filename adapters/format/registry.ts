import type { ConfigFormat } from "../../domain/config/config.ts";
import type { FormatPlugin } from "../../domain/config/format-plugin.ts";
import { binaryPlugin } from "./binary-plugin.ts";
import { iniPlugin } from "./ini-plugin.ts";
import { jsonPlugin } from "./json-plugin.ts";
import { propertiesPlugin } from "./properties-plugin.ts";
import { textPlugin } from "./text-plugin.ts";
import { tomlPlugin } from "./toml-plugin.ts";
import { xmlPlugin } from "./xml-plugin.ts";
import { yamlPlugin } from "./yaml-plugin.ts";

const PLUGINS: Readonly<Record<ConfigFormat, FormatPlugin>> = {
  json: jsonPlugin,
  yaml: yamlPlugin,
  toml: tomlPlugin,
  properties: propertiesPlugin,
  ini: iniPlugin,
  xml: xmlPlugin,
  text: textPlugin,
  binary: binaryPlugin,
};

/** The plugin of a format. */
export function formatPlugin(format: ConfigFormat): FormatPlugin {
  return PLUGINS[format];
}
