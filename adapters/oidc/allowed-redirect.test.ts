import { expect, test } from "vitest";
import { allowedRedirect } from "./allowed-redirect.ts";

const ORIGINS = ["https://console.example.com", "http://127.0.0.1:*", "http://evil.example.com:*"];

test.each([
  ["https://console.example.com/signed-in?x=1", true],
  ["https://console.example.com:443/", true],
  ["https://console.example.com:8443/", false],
  ["http://console.example.com/", false],
  ["https://console.example.com.evil.com/", false],
  ["https://console.example.com@evil.com/", false],
  ["https://user@console.example.com/", false],
  ["http://127.0.0.1:49152/done", true],
  ["http://127.0.0.2:49152/done", false],
  ["http://localhost:49152/done", false],
  ["http://evil.example.com:81/", false],
  ["javascript:alert(1)", false],
  ["//console.example.com/", false],
  ["", false],
])("A3 a sign-in may end at %s: %s", (address, isAllowed) => {
  expect(allowedRedirect(address, ORIGINS) !== null).toBe(isAllowed);
});
