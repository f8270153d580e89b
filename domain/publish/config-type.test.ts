import { expect, it } from "vitest";
import { configTypeOf, placeOfConfigType } from "./config-type.ts";

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
