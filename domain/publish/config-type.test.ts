import { expect, it } from "vitest";
import { configTypeOf, placeOfConfigType, readVersionName, versionNameOf } from "./config-type.ts";

it.each([
  ["gray", "data-source", "data-source"],
  ["gray", "api-record", "api-record"],
  ["gray", "api-meta", "api-meta"],
  ["gray", "prod", "config"],
  ["gray", "config", "config"],
  ["shop", "data-source", "config"],
] as const)("P3 a config of %s/%s is of the type %s", (app, env, type) => {
  expect(configTypeOf({ app, env })).toBe(type);
  expect(placeOfConfigType(type)).toEqual(type === "config" ? null : { app, env });
});

it("P3 a version of a typed config has a name of its own, a plain one its number", () => {
  expect(versionNameOf("config", "cfg-c1-5", 3)).toBe(3);
  expect(versionNameOf("api-meta", "cfg-c1-5", 3)).toBe("cfg-c1-5-v3");
  expect(readVersionName("3")).toEqual({ configId: null, version: 3 });
  expect(readVersionName("cfg-c1-5-v3")).toEqual({ configId: "cfg-c1-5", version: 3 });
  for (const text of ["", "0", "v3", "cfg-c1-5", "cfg-c1-5-v0", "-v3", "3-v3", "9999999999"]) {
    expect([text, readVersionName(text)]).toEqual([text, null]);
  }
});
