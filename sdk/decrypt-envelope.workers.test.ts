import { expect, it } from "vitest";
import { decryptEnvelope } from "./decrypt-envelope.ts";
import { ENVELOPE_VECTOR } from "./envelope-vector.ts";

const { body, config, dataKey, plaintext } = ENVELOPE_VECTOR;
const keyBytes = () => Uint8Array.from(dataKey.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

it("K4 an envelope opens in a Worker, and does not when it was changed", async () => {
  const decryptDataKey = async () => keyBytes();
  const opened = await decryptEnvelope({ body, config, decryptDataKey });
  expect(new TextDecoder().decode(opened)).toBe(plaintext);
  const changed = body.replace('"ciphertext":"B', '"ciphertext":"C');
  await expect(decryptEnvelope({ body: changed, config, decryptDataKey })).rejects.toMatchObject({
    fault: "not_authentic",
  });
});
