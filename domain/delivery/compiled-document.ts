import type { ConfigFormat } from "../config/config.ts";
import type { CompiledRules } from "../release-rule/compile-rules.ts";

/**
 * What the edge reads: one config as one region sees it. Made by the region's replica when the feed tells of a change,
 * stored in KV under `d/{tenant}/{sha256 of its encoding}`, never changed afterwards. It holds nothing that differs
 * between two equal states (no index, no time), so that an unchanged region keeps its document.
 */
export interface CompiledDocument {
  /** `tenant/app/env/name` */
  config: string;
  config_id: string;
  encrypted: boolean;
  /** Sorted and indexed by label; rules of other regions are gone. */
  rules: CompiledRules;
  variants: CompiledVariant[];
}

export interface CompiledVariant {
  version_id: number;
  sha256: string;
  format: ConfigFormat;
  content_bytes: number;
  /** With quotes, ready for the header; differs between versions that share bytes. */
  etag: string;
  /** The bytes, or null when they are over INLINE_BYTES_MAX and stand in KV under `v/{tenant}/{sha256}`. */
  content: Uint8Array | null;
}

export const documentKey = (tenant: string, hash: string): string => `d/${tenant}/${hash}`;
export const variantKey = (tenant: string, sha256: string): string => `v/${tenant}/${sha256}`;
