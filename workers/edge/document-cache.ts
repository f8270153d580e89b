import { BoundedCache } from "../../domain/delivery/bounded-cache.ts";
import {
  compileRulePattern,
  PATTERN_MEMORY_BYTES_MAX,
} from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import type { CompiledDocument } from "../../domain/delivery/compiled-document.ts";
import { type PreparedRules, prepareRules } from "../../domain/release-rule/prepare-rules.ts";
import { listPatterns } from "../../domain/release-rule/release-rule.ts";
import { PreparedVariant } from "./serve-variant.ts";

/** Bytes of compiled documents an isolate keeps (of its 128 MB). */
const DOCUMENTS_BYTES_MAX = 32 * 1024 * 1024;
/** Bytes of large contents an isolate keeps. */
const CONTENTS_BYTES_MAX = 24 * 1024 * 1024;
/** A parsed header weighs more than its JSON. */
const HEADER_WEIGHT = 4;

/** A document ready to serve: rules to match, responses half built. */
export interface PreparedDocument {
  document: CompiledDocument;
  rules: PreparedRules;
  variants: ReadonlyMap<number, PreparedVariant>;
}

/** Documents and large contents by hash. What is in here never changes, so it is never stale, only forgotten. */
export class DocumentCache {
  readonly #documents = new BoundedCache<PreparedDocument>(DOCUMENTS_BYTES_MAX);
  readonly #contents = new BoundedCache<Uint8Array>(CONTENTS_BYTES_MAX);

  document(hash: string): PreparedDocument | undefined {
    return this.#documents.get(hash);
  }

  holdDocument(hash: string, document: CompiledDocument, encodedBytes: number): PreparedDocument {
    const prepared = prepareDocument(document);
    const inlineBytes = document.variants.reduce((sum, { content }) => sum + (content?.byteLength ?? 0), 0);
    const patternBytes = listPatterns(document.rules.rules).size * PATTERN_MEMORY_BYTES_MAX;
    const headerBytes = encodedBytes - inlineBytes;
    this.#documents.set(hash, prepared, inlineBytes + HEADER_WEIGHT * headerBytes + patternBytes);
    return prepared;
  }

  content(sha256: string): Uint8Array | undefined {
    return this.#contents.get(sha256);
  }

  holdContent(sha256: string, content: Uint8Array): void {
    this.#contents.set(sha256, content, content.byteLength);
  }
}

/** Makes a document ready to serve. */
export function prepareDocument(document: CompiledDocument): PreparedDocument {
  const variants = document.variants.map((variant): [number, PreparedVariant] => [
    variant.version_id,
    new PreparedVariant(variant, document.encrypted),
  ]);
  const rules = prepareRules(document.rules, compileRulePattern);
  return { document, rules, variants: new Map(variants) };
}
