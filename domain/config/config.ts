import type { Namespace } from "./config-name.ts";
import type { BundleMark } from "../bundle/bundle-mark.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";

export const CONFIG_FORMATS = ["json", "yaml", "toml", "properties", "ini", "xml", "text", "binary"] as const;
export type ConfigFormat = (typeof CONFIG_FORMATS)[number];

/** `Content-Type` of a config's bytes, by format (api.md, fetch plane). */
export const CONTENT_TYPE_BY_FORMAT: Record<ConfigFormat, string> = {
  json: "application/json",
  yaml: "application/yaml",
  toml: "application/toml",
  properties: "text/plain; charset=utf-8",
  ini: "text/plain; charset=utf-8",
  text: "text/plain; charset=utf-8",
  xml: "application/xml",
  binary: "application/octet-stream",
};

export interface Retention {
  count?: number | undefined;
  days?: number | undefined;
}

/** Metadata and live release rules of one configuration (seed 003, "Config"). Content lives in its versions. */
export interface Config {
  id: string;
  namespace: Namespace;
  name: string;
  format: ConfigFormat;
  encrypted: boolean;
  /** JSON Schema text that versions without their own must satisfy. */
  schema: string | null;
  retention: Retention | null;
  description: string;
  latest_version_id: number;
  releases: ReleaseRule[];
  created_at_ms: number;
  updated_at_ms: number;
  /** Log index of the last command that changed this record; the revision behind `ETag` and `If-Match`. */
  revision: number;
  /** The bundle that owns it, and what that last applied; absent: none does. */
  bundle?: BundleMark | undefined;
}

/** What remains of a deleted config: whose it was, so that a repeated delete can be recognised and authorised. */
export type DeletedConfig = Pick<Config, "id" | "namespace" | "name">;

/** What is known of an encrypted content beside its envelope. */
export interface SealedContent {
  /** The KMS key that wraps its data key. */
  key_id: string;
  /** SHA-256 over iv, ciphertext and tag: the same however often the data key is wrapped anew. */
  content_sha256: string;
}

/** An immutable version (but for the draft of a typed config): number, hash and circumstances. Its bytes are stored once per tenant and hash. */
export interface ConfigVersion {
  config_id: string;
  version_id: number;
  /** SHA-256 of the stored bytes, lower-case hex: of the content, or of its envelope when the config is encrypted. */
  sha256: string;
  /** Of an encrypted config's version; absent on all others. */
  sealed?: SealedContent | undefined;
  content_bytes: number;
  format: ConfigFormat;
  /** JSON Schema text of this version alone; null when the config's applies. */
  schema: string | null;
  description: string;
  creator: string;
  created_at_ms: number;
  /** When the draft of a typed config was last edited; left out: never, as of all that was ever published. */
  edited_at_ms?: number | undefined;
  /** When a publish plan put another version in its place for everyone; left out: none did, or it is published again. */
  deprecated_at_ms?: number | undefined;
}
