import { expect, test } from "vitest";
import { readClientMessage } from "./watch-protocol.ts";

test("E6 what was refused is told as Unicode text, though the name has half a character", () => {
  const message = JSON.stringify({ type: "subscribe", configs: ["a/b/c/\ud800"] });
  expect(readClientMessage(message)).toEqual({
    type: "subscribe",
    configs: [],
    refused: [{ type: "error", code: "validation_failed", config: "a/b/c/\ufffd" }],
  });
});
