import { expect, test } from "vitest";
import { startAllBut } from "./start-all-but.ts";

const up = Promise.resolve();
const down = (why: string): Promise<void> => Promise.reject(new Error(why));

test("R7 a minority may fail to start, no more", async () => {
  await expect(startAllBut(1, [up, down("disk"), up])).resolves.toBeUndefined();
  await expect(startAllBut(0, [up, down("disk"), up])).rejects.toThrow("disk");
});

test("R7 what is told is the first failure, at once, though others are still starting", async () => {
  const never = new Promise<void>(() => undefined);
  await expect(startAllBut(1, [down("first"), never, down("second")])).rejects.toThrow("first");
});
