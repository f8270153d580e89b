import { expect, test } from "vitest";
import type { ChaosHistory, ClientPlan } from "./chaos-plan.ts";
import { AnswerJudge, type ConfigAnswer } from "./judge-answers.ts";

const CONFIG = "demo/shop/prod/a.json";
const PLAN: ClientPlan = {
  number: 1,
  region: "cn-chengdu",
  labels: { tier: "gold" },
  configs: [CONFIG],
  watches: null,
};
const token = (index: number, epoch = 1): string => `c1.${epoch}.${index}.signature`;
const rule = (version_id: number, more: object = {}) => ({ labels: {}, version_id, priority: 0, ...more });

/** Everybody has version 1 from index 10, gold clients 2 from 20 to 30, Chengdu 3 from 40. */
const FIRST_EPOCH = {
  states: [
    { index: 10, rules: [rule(1)] },
    { index: 20, rules: [rule(1), rule(2, { labels: { tier: "gold" }, priority: 1 })] },
    { index: 30, rules: [rule(1)] },
    { index: 40, rules: [rule(1), rule(3, { edge: { regions: ["cn-chengdu"] }, priority: 1 })] },
  ],
  hashes: { 1: "h1", 2: "h2", 3: "h3" },
};
const HISTORY: ChaosHistory = { [CONFIG]: { 1: FIRST_EPOCH } };
/** A restore took all back to index 20 of it, and then version 3 was made anew. */
const RESTORED: ChaosHistory = {
  [CONFIG]: {
    1: FIRST_EPOCH,
    2: {
      states: [
        { index: 0, rules: [rule(1), rule(2, { labels: { tier: "gold" }, priority: 1 })] },
        { index: 60, rules: [rule(3)] },
      ],
      hashes: { 1: "h1", 2: "h2", 3: "h3 anew" },
    },
  },
};

function answer(index: number, version: number, more: Partial<ConfigAnswer> = {}): ConfigAnswer {
  const given = {
    config: CONFIG,
    status: 200,
    version,
    index: token(index),
    minIndex: null,
    hash: `h${version}`,
  };
  return { ...given, atMs: 0, ...more };
}

/** A client that has taken these answers, and what was wrong with them. */
function taken(...answers: ConfigAnswer[]): { judge: AnswerJudge; found: string[] } {
  const judge = new AnswerJudge(PLAN);
  return { judge, found: answers.flatMap((each) => judge.take(each)) };
}

test("E5 answers in the order of the log are right, and so are those that are newer than their index", () => {
  const { judge, found } = taken(
    answer(12, 1),
    answer(12, 2),
    answer(25, 2, { minIndex: token(12) }),
    answer(25, 2, { status: 304, minIndex: token(25) }),
    answer(35, 1),
    answer(41, 3),
  );
  expect(found).toEqual([]);
  expect(judge.judge(HISTORY)).toEqual([]);
  expect(judge.behind(HISTORY)).toEqual([]);
  expect(judge.floor).toBe(token(41));
});

test("E5 an answer below the index that was asked for goes back; in another epoch it does not", () => {
  const back = taken(answer(25, 2), answer(24, 2, { minIndex: token(25) }));
  expect(back.found.join()).toContain(`went back from index 25 of epoch 1 to 24 of epoch 1 at ${CONFIG}`);
  expect(back.judge.floor).toBe(token(25));
  const restored = taken(answer(25, 2), answer(12, 1, { minIndex: token(25), index: token(12, 2) }));
  expect(restored.found).toEqual([]);
  expect(restored.judge.floor).toBe(token(12, 2));
  const undone = taken(answer(12, 1, { index: token(12, 2) }), answer(40, 3, { minIndex: token(12, 2) }));
  expect(undone.found.join()).toContain("went back from index 12 of epoch 2 to 40 of epoch 1");
});

test("R13 E5 after a restore each answer is judged in its epoch, and a version's number means another one", () => {
  const before = [answer(25, 2), answer(41, 3)];
  const after = answer(55, 2, { index: token(55, 2) });
  const { judge, found } = taken(...before, after, answer(61, 3, { index: token(61, 2), hash: "h3 anew" }));
  expect(found).toEqual([]);
  expect(judge.judge(RESTORED)).toEqual([]);
  expect(judge.behind(RESTORED)).toEqual([]);
  // Whoever holds on to what was undone is behind, though the number is right.
  expect(
    taken(...before)
      .judge.behind(RESTORED)
      .join(),
  ).toContain(`holds v3 of ${CONFIG} instead of v3`);
  const kept = taken(...before, answer(55, 1, { index: token(55, 2) })).judge.judge(RESTORED);
  expect(kept.join()).toContain("was given v1");
  expect(
    taken(answer(61, 3, { index: token(61, 2) }))
      .judge.judge(RESTORED)
      .join(),
  ).toContain("other bytes of v3");
});

test("E5 an event raises what the next question asks for, and never lowers it", () => {
  const { judge } = taken(answer(25, 2));
  judge.raise(token(30));
  judge.raise(token(28));
  expect(judge.floor).toBe(token(30));
  judge.raise(token(29, 2));
  judge.raise(token(31));
  expect([judge.floor, judge.epoch]).toEqual([token(29, 2), 2]);
});

test("E6 a 304 for what is not held, and an answer without an index, are wrong", () => {
  expect(taken(answer(12, 1, { status: 304 })).found.join()).toContain("where vnone is held");
  expect(taken(answer(12, 1), answer(25, 2, { status: 304 })).found.join()).toContain("where v1 is held");
  expect(taken(answer(12, 1, { index: "" })).found.join()).toContain("without an index");
});

test("E1 E3 a version that the rules have taken away before the answer's index is wrong, as are other bytes", () => {
  expect(taken(answer(31, 2)).judge.judge(HISTORY).join()).toContain("where the rules say v1");
  // The run's last index counts: 304s go on asking.
  const kept = taken(answer(25, 2), answer(31, 2, { status: 304 })).judge;
  expect(kept.judge(HISTORY).join()).toContain("was given v2");
  // Before the config there was none, but a head's entries may be newer than its index.
  expect(taken(answer(9, 1)).judge.judge(HISTORY)).toEqual([]);
  expect(taken(answer(9, 7)).judge.judge(HISTORY).join()).toContain("where the rules say nothing");
  expect(
    taken(answer(12, 1, { hash: "h9" }))
      .judge.judge(HISTORY)
      .join(),
  ).toContain("other bytes of v1");
});

test("E3 a client that does not hold what the last rules give it in its region is behind", () => {
  expect(taken(answer(41, 1)).judge.behind(HISTORY).join()).toContain(`holds v1 of ${CONFIG} instead of v3`);
  expect(new AnswerJudge(PLAN).behind(HISTORY).join()).toContain("holds vnull");
});
