import { afterAll, beforeAll, expect, test } from "vitest";
import { makePlace, type Place, type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk } from "../testing/stack-client.ts";

const PASSWORD = "correct horse battery";
/** No schedule moves a plan here: what moves was hinted at. */
const HINTS_ALONE = { CONFLUX_PUBLISH_EVERY_S: "0" };

let place: Place;
let stack: Stack;
let approver: string;
beforeAll(async () => {
  place = await makePlace();
  stack = await startStack({ place, env: HINTS_ALONE });
  const role = await adminOk(stack, "POST", "/roles", { tenant: "demo", name: "approvers" });
  for (const action of ["read", "approve"]) {
    const permission = { action, resource_pattern: "demo/**" };
    await adminOk(stack, "POST", `/roles/${String(role.json["id"])}/permissions`, permission);
  }
  const user = { tenant: "demo", username: "bob", password: PASSWORD, role_ids: [String(role.json["id"])] };
  await adminOk(stack, "POST", "/users", user);
  const login = await adminOk(stack, "POST", "/auth/login", { username: "bob", password: PASSWORD });
  approver = String(login.json["access_token"]);
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
  place.remove();
});

async function publish(name: string, stages: object[]): Promise<string> {
  const config = { tenant: "demo", app: "shop", env: "prod", name, format: "json" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...config, content: "1", release: true });
  const begun = await adminOk(stack, "POST", `/mgt/configs/${String(created.json["id"])}/publish`, {
    content: "2",
    strategy: { type: "staged", stages },
  });
  return String(begun.json["publish_id"]);
}
const show = async (pid: string) => (await admin(stack, "GET", `/mgt/publishes/${pid}`)).json;
const untilIs = (pid: string, status: string) =>
  until(async () => (await show(pid))["status"] === status, `the plan is ${status}`, 60_000);
/** Each move of the plan with its cause, the oldest first, once there are `n`. */
async function movesOf(pid: string, n: number): Promise<string[]> {
  const { config_id: id } = await show(pid);
  return until(async () => {
    const { json } = await adminOk(
      stack,
      "GET",
      `/mgt/configs/${String(id)}/publish-history?publish_id=${pid}`,
    );
    const items = json["items"] as { status: string; cause: string }[];
    return items.length >= n && items.map(({ status, cause }) => `${status} ${cause}`).toReversed();
  }, `the history has ${n} moves`);
}

test("P4 L1 without any schedule a plan goes through its stages by hints alone", async () => {
  const pid = await publish("hinted.json", [
    { name: "one", regions: ["cn-chengdu"], bake_minutes: 0.02 },
    { name: "two", regions: ["cn-chengdu", "us-east-1"], bake_minutes: 0.02 },
  ]);
  await untilIs(pid, "full");
  expect(await movesOf(pid, 3)).toEqual(["stage1 by_hand", "stage2 bake_over", "full bake_over"]);
});

test("P4 L1 an approval after the bake moves the plan", async () => {
  const gates = [{ type: "approval", approvers: 1 }];
  const pid = await publish("approved.json", [
    { name: "one", regions: ["cn-chengdu"], bake_minutes: 0.01, gates },
  ]);
  // Another plan that began later is full: so this one's bake is over, and nothing has moved it.
  await untilIs(
    await publish("clock.json", [{ name: "one", regions: ["cn-chengdu"], bake_minutes: 0.03 }]),
    "full",
  );
  expect((await show(pid))["status"]).toBe("stage1");
  const approved = await admin(stack, "POST", `/mgt/publishes/${pid}/approve`, undefined, {
    authorization: `Bearer ${approver}`,
  });
  expect(approved.status).toBe(200);
  await untilIs(pid, "full");
  expect(await movesOf(pid, 2)).toEqual(["stage1 by_hand", "full bake_over"]);
});

test("P5 L1 a forgotten pause ends, and a resumed plan goes on", async () => {
  const pid = await publish("paused.json", [{ name: "one", regions: ["cn-chengdu"], bake_minutes: 0.05 }]);
  const pause = { max_minutes: 0.02, on_timeout: "resume" };
  expect((await admin(stack, "POST", `/mgt/publishes/${pid}/pause`, pause)).status).toBe(200);
  await untilIs(pid, "full");
  expect(await movesOf(pid, 4)).toEqual([
    "stage1 by_hand",
    "paused by_hand",
    "stage1 pause_over",
    "full bake_over",
  ]);
});

test("P4 L1 a hint that is lost costs a plan nothing but waiting for the schedule", async () => {
  const pid = await publish("lost.json", [{ name: "one", regions: ["cn-chengdu"], bake_minutes: 0.2 }]);
  // Its entry is projected, so nothing will hint at it again; the queue with its hint ends with the stack.
  await movesOf(pid, 1);
  expect(await stack.stop()).toBe(0);
  stack = await startStack({ place });
  await untilIs(pid, "full");
  expect(await movesOf(pid, 2)).toEqual(["stage1 by_hand", "full bake_over"]);
});
