import { describe, expect, it } from "vitest";
import { addToWindow, createInflightWindow, freeWindowTo, isWindowFull } from "./inflight-window.ts";
import {
  acknowledge,
  becomeProbe,
  becomeReplicate,
  becomeSnapshot,
  createProgress,
  isPaused,
  reject,
} from "./progress.ts";

const WINDOW = { messagesMax: 2, bytesMax: 1000 };

describe("progress", () => {
  it("R2 probes with one message, then streams a window of them", () => {
    const progress = createProgress(10, WINDOW);
    expect(isPaused(progress)).toBe(false);
    progress.probeSent = true;
    expect(isPaused(progress)).toBe(true);
    expect(acknowledge(progress, 5)).toBe(true);
    becomeReplicate(progress);
    expect(progress.next).toBe(6);
    addToWindow(progress.window, 7, 10);
    addToWindow(progress.window, 9, 10);
    expect(isPaused(progress)).toBe(true);
    expect(acknowledge(progress, 7)).toBe(true);
    expect(isPaused(progress)).toBe(false);
    expect(progress.window.messages).toEqual([{ lastIndex: 9, bytes: 10 }]);
  });

  it("R2 an acknowledgement never goes back", () => {
    const progress = createProgress(10, WINDOW);
    acknowledge(progress, 8);
    expect(acknowledge(progress, 8)).toBe(false);
    expect(acknowledge(progress, 3)).toBe(false);
    expect(progress.match).toBe(8);
  });

  it.each([
    { name: "takes the hint", next: 20, rejected: 19, hint: 5, taken: true, after: 6 },
    { name: "never goes past what was rejected", next: 20, rejected: 19, hint: 40, taken: true, after: 19 },
    { name: "never goes below the match", next: 20, rejected: 19, hint: 0, taken: true, after: 3 },
    { name: "ignores a stale rejection", next: 20, rejected: 11, hint: 5, taken: false, after: 20 },
  ])("R2 a rejected probe $name", ({ next, rejected, hint, taken, after }) => {
    const progress = createProgress(next, WINDOW);
    progress.match = 2;
    expect(reject(progress, rejected, hint)).toBe(taken);
    expect(progress.next).toBe(after);
  });

  it("R2 a rejected stream goes back to probing behind the match", () => {
    const progress = createProgress(1, WINDOW);
    acknowledge(progress, 4);
    becomeReplicate(progress);
    addToWindow(progress.window, 9, 10);
    progress.next = 10;
    expect(reject(progress, 3, 0)).toBe(false);
    expect(reject(progress, 9, 4)).toBe(true);
    expect(progress).toMatchObject({ state: "probe", next: 5, window: { messages: [], bytes: 0 } });
  });

  it("R4 sends nothing during a snapshot and goes on behind it", () => {
    const progress = createProgress(1, WINDOW);
    becomeSnapshot(progress, 30);
    expect(isPaused(progress)).toBe(true);
    expect(reject(progress, 30, 0)).toBe(false);
    becomeProbe(progress);
    expect(progress).toMatchObject({ state: "probe", next: 31 });
  });
});

describe("inflight window", () => {
  it("R2 frees all messages up to an acknowledgement, with their bytes", () => {
    const window = createInflightWindow({ messagesMax: 3, bytesMax: 1000 });
    for (const index of [3, 6, 9]) addToWindow(window, index, index);
    expect(isWindowFull(window)).toBe(true);
    freeWindowTo(window, 2);
    expect(window).toMatchObject({ bytes: 18 });
    freeWindowTo(window, 7);
    expect(window).toMatchObject({ messages: [{ lastIndex: 9 }], bytes: 9 });
    expect(isWindowFull(window)).toBe(false);
  });

  it("R2 is full by bytes before its count, and takes one message of any size", () => {
    const window = createInflightWindow({ messagesMax: 100, bytesMax: 50 });
    addToWindow(window, 1, 49);
    expect(isWindowFull(window)).toBe(false);
    addToWindow(window, 2, 5000);
    expect(isWindowFull(window)).toBe(true);
    freeWindowTo(window, 2);
    expect(window).toMatchObject({ messages: [], bytes: 0 });
  });
});
