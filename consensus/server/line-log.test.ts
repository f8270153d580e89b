import { expect, it } from "vitest";
import { createLineLog } from "./line-log.ts";

function logIn() {
  const written: string[] = [];
  const later: (() => void)[] = [];
  const log = createLineLog({
    write: (text) => written.push(text),
    later: (act) => later.push(act),
    now: () => new Date(0),
  });
  const turn = (): void => {
    for (const act of later.splice(0)) act();
  };
  return { ...log, written, turn };
}
const line = (level: string, msg: string): string =>
  `{"time":"1970-01-01T00:00:00.000Z","level":"${level}","msg":"${msg}"}\n`;

it("M4 writes the lines of a turn at once, in order, and nothing twice", () => {
  const { logger, written, turn, flush } = logIn();
  logger({ level: "info", msg: "a" });
  logger({ level: "info", msg: "b" });
  expect(written).toEqual([]);
  turn();
  expect(written).toEqual([line("info", "a") + line("info", "b")]);
  turn();
  flush();
  expect(written).toHaveLength(1);
});

it("M4 an error waits for nothing, and what came before it leaves with it", () => {
  const { logger, written, turn } = logIn();
  logger({ level: "info", msg: "a" });
  logger({ level: "error", msg: "b" });
  expect(written).toEqual([line("info", "a") + line("error", "b")]);
  turn();
  expect(written).toHaveLength(1);
});

it("M4 what waits has a limit, and the end of the process loses nothing", () => {
  const { logger, written, flush } = logIn();
  logger({ level: "info", msg: "x".repeat(70_000) });
  expect(written).toHaveLength(1);
  logger({ level: "info", msg: "last" });
  flush();
  expect(written[1]).toBe(line("info", "last"));
});
