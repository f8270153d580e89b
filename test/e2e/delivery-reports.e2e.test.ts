import { afterAll, expect, test } from "vitest";
import { makePlace, type Place, type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, type Answer, fetchConfig, getRaw, sendRaw } from "../testing/stack-client.ts";

const NAME = "demo/shop/prod/delivered.json";
const REGION = "cn-chengdu";

let stack: Stack | null = null;
let place: Place | null = null;
afterAll(async () => {
  await stack?.stop();
  place?.remove();
});

/** A client that does what an SDK does: fetches in its region and reports what it made of it. */
function startClient(running: Stack, clientId: string) {
  const host = `${REGION}.localhost:${new URL(running.dev.edge_url).port}`;
  const post = (reports: unknown[]): Promise<Answer> =>
    sendRaw(running, {
      method: "POST",
      path: "/api/v1/reports",
      headers: { host, "content-type": "application/json" },
      body: { client_id: clientId, reports },
    });
  return {
    post,
    fetch: (minIndex: string): Promise<Answer> =>
      getRaw(running, `/api/v1/fetch/config/${NAME}`, { host, "x-conflux-min-index": minIndex }),
    report: async (fetched: Answer, state: string, reason?: string): Promise<void> => {
      const index = fetched.headers.get("x-config-index");
      const version = Number(fetched.headers.get("x-config-version"));
      const at = new Date().toISOString();
      const answer = await post([{ config: NAME, version, index, state, at, ...(reason && { reason }) }]);
      expect([answer.status, answer.text]).toEqual([202, ""]);
    },
  };
}
const delivery = async (running: Stack, id: string): Promise<Record<string, unknown>> =>
  (await adminOk(running, "GET", `/mgt/configs/${id}/delivery`)).json;

test("E16 what clients fetch and report is what the admin API shows, also after a restart", async () => {
  place = await makePlace();
  const running = await startStack({ place });
  stack = running;
  const made = await adminOk(running, "POST", "/mgt/configs", {
    tenant: "demo",
    app: "shop",
    env: "prod",
    name: "delivered.json",
    format: "json",
    content: "1",
    release: true,
  });
  const id = String(made.json["id"]);
  const clients = [startClient(running, "pod-1"), startClient(running, "pod-2")];
  for (const client of clients)
    await client.report(await client.fetch(String(made.json["index"])), "applied");
  await until(async () => (await delivery(running, id))["clients"] === 2, "both clients are seen");

  const published = await adminOk(running, "POST", `/mgt/configs/${id}/publish`, {
    content: "2",
    description: "two",
    strategy: { type: "all" },
  });
  const [applies, refuses] = clients;
  const fetched = await applies?.fetch(String(published.json["index"]));
  expect(fetched?.headers.get("x-config-version")).toBe("2");
  if (fetched) {
    await applies?.report(fetched, "applied");
    await refuses?.report(fetched, "rejected", "2 is no configuration");
  }
  const shown = await until(async () => {
    const now = await delivery(running, id);
    const groups = now["clients_by_version"] as { version: number }[];
    return groups.length === 1 && groups[0]?.version === 2 && now["last_fetched_at"] !== null && now;
  }, "both reports of version 2 are seen");
  expect(shown).toMatchObject({
    clients: 2,
    default_version: 2,
    adoption_rate: 0.5,
    clients_by_version: [{ version: 2, region: REGION, applied: 1, rejected: 1, error: 0, clients: 2 }],
    last_fetched: [{ region: REGION }],
    propagation: { samples: 1 },
  });
  const refused = await adminOk(running, "GET", `/mgt/configs/${id}/delivery/clients?state=rejected`);
  expect(refused.json["items"]).toMatchObject([
    { client_id: "pod-2", version: 2, running_version: 1, reason: "2 is no configuration" },
  ]);
  // All is younger than a day, and so nothing is dead.
  const dead = await adminOk(running, "GET", "/mgt/delivery/dead-configs?tenant=demo&not_fetched_days=1");
  expect(dead.json).toEqual({ items: [], next_cursor: null });

  expect(await running.stop()).toBe(0);
  const again = await startStack({ place });
  stack = again;
  expect(await delivery(again, id)).toEqual(shown);
  expect((await startClient(again, "pod-3").post([])).status).toBe(400);
  const minIndex = String(published.json["index"]);
  await startClient(again, "pod-3").report(await fetchConfig(again, NAME, { minIndex }), "applied");
  await until(
    async () => (await delivery(again, id))["clients"] === 3,
    "a client of after the restart is seen",
  );
});

test("E16 A7 a report is taken while Postgres does not answer, and is there when it does again", async () => {
  const running = stack ?? (await startStack());
  stack = running;
  const made = await adminOk(
    running,
    "GET",
    "/mgt/configs?tenant=demo&app=shop&env=prod&name_prefix=delivered",
  );
  const id = String((made.json["items"] as { id: string }[])[0]?.id);
  const { postgres } = running.dev.pids;
  if (postgres === undefined) throw new Error("the stack has no Postgres of its own");
  process.kill(postgres, "SIGSTOP");
  try {
    await startClient(running, "pod-4").report(await fetchConfig(running, NAME), "applied");
    expect((await admin(running, "GET", `/mgt/configs/${id}/delivery`)).status).toBe(503);
  } finally {
    process.kill(postgres, "SIGCONT");
  }
  const seen = async (): Promise<boolean> => {
    const answer = await admin(running, "GET", `/mgt/configs/${id}/delivery/clients?cursor=pod-3`);
    return (answer.json["items"] as { client_id: string }[] | undefined)?.[0]?.client_id === "pod-4";
  };
  await until(seen, "the report of while Postgres was away is seen", 60_000);
});
