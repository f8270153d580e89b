import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readArrows, withPicture } from "./import-picture.ts";

it("U7 the picture in the README is drawn from the imports as they are (npm run picture redraws it)", async () => {
  const readme = readFileSync("README.md", "utf8");
  expect(withPicture(readme, await readArrows())).toBe(readme);
});
