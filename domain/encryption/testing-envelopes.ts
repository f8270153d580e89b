import type { CommandOf, ContentRef } from "../command/command.ts";
import { testCommand, testConfigPayload } from "../command/testing-commands.ts";
import { envelopeText, identityOf } from "./envelope-text.ts";

/** An envelope for tests of what does not open it: `content` stands where ciphertext does. */
export function testEnvelope(
  name: string,
  content: string,
  head = { key_id: "arn:aws:kms:us-east-1:1:key/a", wrapped_key: "d3JhcHBlZA==" },
): Uint8Array {
  const text = envelopeText({
    ...head,
    iv: "aXY=",
    ciphertext: content,
    tag: "dGFn",
    context: identityOf({ tenant: "demo", app: "shop", env: "prod" }, name),
  });
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A hash for tests that hash nothing: 64 hex digits made of a number. */
export const testHash = (n: number): string => n.toString(16).padStart(64, "0");

export function testSealed(n: number): ContentRef {
  return {
    attachment: 0,
    sha256: testHash(n),
    sealed: { key_id: "arn:aws:kms:us-east-1:1:key/a", content_sha256: testHash(n + 1_000_000) },
  };
}

/** Creates the encrypted config `demo/shop/prod/<name>`; its envelope's hash is made of `n`. */
export function testEncrypted(
  name: string,
  n: number,
  more: Parameters<typeof testConfigPayload>[2] = {},
): CommandOf<"create_config"> {
  const content = testSealed(n);
  return testCommand(
    "create_config",
    testConfigPayload(name, content.sha256, { content, encrypted: true, ...more }),
  );
}
