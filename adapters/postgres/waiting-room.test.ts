import { describe, expect, test } from "vitest";
import { WaitingRoom } from "./waiting-room.ts";

const FULL = { code: "unavailable", retryAfterS: 1 };

describe("A7 the waiting room", () => {
  test("refuses who comes when it is full, until somebody leaves", () => {
    const room = new WaitingRoom(2, () => 0);
    const leave = room.enter(100, false);
    room.enter(100, false);
    expect(() => room.enter(100, false)).toThrow(expect.objectContaining(FULL));
    leave();
    leave();
    room.enter(100, false);
    expect(() => room.enter(100, false)).toThrow(expect.objectContaining(FULL));
  });

  test("lets in who was in before, and counts them", () => {
    const room = new WaitingRoom(1, () => 0);
    const leave = room.enter(100, false);
    const leaveAgain = room.enter(100, true);
    leave();
    expect(() => room.enter(100, false)).toThrow(expect.objectContaining(FULL));
    leaveAgain();
    room.enter(100, false);
  });

  test("takes the place of a request that was cancelled and never left, once its time is over", () => {
    let nowMs = 0;
    const room = new WaitingRoom(1, () => nowMs);
    room.enter(100, false);
    nowMs = 99;
    expect(() => room.enter(100, false)).toThrow(expect.objectContaining(FULL));
    nowMs = 100;
    room.enter(100, false);
  });
});
