import { describe, expect, it } from "vitest";
import type { BundleApplied } from "../../contracts/bundle/bundle-schemas.ts";
import { GRANTS, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const APPLY = "/api/v1/mgt/apply";
const REQUESTS = "/api/v1/mgt/change-requests";
const entry = (name: string, content = "1", more: Record<string, unknown> = {}) => ({
  name,
  format: "json",
  content,
  ...more,
});
const bundle = (...configs: unknown[]) => ({
  bundle: { id: "team", tenant: "demo", app: "shop", env: "prod" },
  configs,
});
const OWN = { releases: [{ version: "bundle" }] };

async function apply(
  { send }: TestingAdmin,
  body: unknown,
  query = "",
  headers: Record<string, string> = {},
): Promise<BundleApplied> {
  const response = await send("POST", APPLY + query, body, headers);
  expect([response.status, response.ok ? "" : await response.text()]).toEqual([200, ""]);
  return (await response.json()) as BundleApplied;
}
async function refusalOf({ send }: TestingAdmin, ...[path, body, headers]: [string, unknown, object?]) {
  const { code, errors } = await readProblem(await send("POST", path, body, { ...headers }));
  return [code, errors.map((error) => error.path)];
}
async function idOf({ core }: TestingAdmin, name: string): Promise<string> {
  return (await core.getConfigByName(`demo/shop/prod/${name}`)).config.id;
}
const latestOf = async ({ core }: TestingAdmin, name: string): Promise<number> =>
  (await core.getConfigByName(`demo/shop/prod/${name}`)).config.latest_version_id;
async function change(admin: TestingAdmin, name: string): Promise<void> {
  const path = `/api/v1/mgt/configs/${await idOf(admin, name)}/versions`;
  expect((await admin.send("POST", path, { content: "9" })).status).toBe(201);
}

describe("C13 a bundle under the plan that its caller names", () => {
  // May read all, and write one of the two.
  GRANTS["half"] = [
    { action: "read", pattern: "demo/**" },
    { action: "write", pattern: "demo/shop/prod/a" },
  ];
  const half = { authorization: "Bearer half" };
  const body = bundle(entry("a", "2"), entry("b"));
  const open = async (): Promise<TestingAdmin> => {
    const admin = testingAdmin();
    await apply(admin, bundle(entry("a"), entry("b")));
    return admin;
  };

  it("A4 is not applied when that plan comes true meanwhile, for it was another that the caller was asked about", async () => {
    // What the plan will be once another has changed `b`, from a cluster where that has happened.
    const ahead = await open();
    await change(ahead, "b");
    const { plan } = await apply(ahead, body, "?force=true&dry_run=true");
    const admin = await open();
    const real = admin.core.planBundle.bind(admin.core);
    admin.core.planBundle = async (command) => {
      const planned = await real(command);
      await change(admin, "b");
      return planned;
    };
    const refused = await refusalOf(admin, `${APPLY}?force=true&if_plan=${plan}`, body, half);
    expect(refused).toEqual(["precondition_failed", []]);
    expect([await latestOf(admin, "a"), await latestOf(admin, "b")]).toEqual([1, 2]);
  });

  it("C12 is answered from memory when it is repeated, though the plan is another one by then", async () => {
    const admin = await open();
    const key = { "x-idempotency-key": "k" };
    const { plan } = await apply(admin, body, "?dry_run=true");
    const first = await apply(admin, body, `?if_plan=${plan}`, key);
    expect(await apply(admin, body, `?if_plan=${plan}`, key)).toEqual(first);
    expect(await latestOf(admin, "a")).toBe(2);
  });
});

describe("C13 a bundle that names release rules for the first time", () => {
  const first = bundle(entry("a", "1", OWN));
  const open = async (): Promise<{ admin: TestingAdmin; rules: (list: unknown[]) => Promise<void> }> => {
    const admin = testingAdmin();
    await apply(admin, bundle(entry("a")));
    const path = `/api/v1/mgt/configs/${await idOf(admin, "a")}/releases`;
    const rules = async (list: unknown[]): Promise<void> => {
      expect((await admin.send("PUT", path, list)).status).toBe(200);
    };
    return { admin, rules };
  };
  const byHand = [{ version_id: 1, labels: { tier: "gold" } }];
  const served = async ({ core }: TestingAdmin): Promise<unknown> =>
    (await core.getConfigByName("demo/shop/prod/a")).config.releases;

  it("C13 does not overwrite those that are there, by itself or by a change request, and its plan says so", async () => {
    const { admin, rules } = await open();
    await rules(byHand);
    const planned = await apply(admin, first, "?dry_run=true");
    expect(planned.items).toMatchObject([
      { changes: ["releases", "owner"], drift: [], blocked: { code: "conflict" } },
    ]);
    expect(await refusalOf(admin, APPLY, first)).toEqual(["conflict", ["/configs/0"]]);
    expect(await refusalOf(admin, `${APPLY}?if_plan=${planned.plan}`, first)).toEqual([
      "conflict",
      ["/configs/0"],
    ]);
    const operation = { type: "apply", apply: first };
    const asked = await refusalOf(admin, REQUESTS, { operation });
    expect(asked).toEqual(["conflict", ["/operation/apply/configs/0"]]);
    expect(await served(admin)).toMatchObject(byHand);
  });

  it.each(["adopt", "force"])("C13 takes them over with %s", async (flag) => {
    const { admin, rules } = await open();
    await rules(byHand);
    const planned = await apply(admin, first, `?${flag}=true&dry_run=true`);
    expect(planned.items).toMatchObject([{ blocked: null }]);
    await apply(admin, first, `?${flag}=true&if_plan=${planned.plan}`);
    expect(await served(admin)).toMatchObject([{ version_id: 1, labels: {} }]);
    // From now on they are the bundle's, and what is done by hand is drift.
    await apply(admin, bundle(entry("a", "2", OWN)));
  });

  it("C13 goes on where there are none, or the same, and says of a running plan what it says of others", async () => {
    const { admin, rules } = await open();
    await rules([{ version_id: 1 }]);
    expect((await apply(admin, first)).items).toMatchObject([{ changes: ["owner"] }]);
    const other = await open();
    const stages = { stages: [{ name: "s", labels: { tier: "gold" } }] };
    const plan = { content: "5", strategy: { type: "staged", ...stages } };
    const path = `/api/v1/mgt/configs/${await idOf(other.admin, "a")}/publish`;
    expect((await other.admin.send("POST", path, plan)).status).toBe(202);
    const wanted = bundle(entry("a", "5", OWN));
    expect(await refusalOf(other.admin, APPLY, wanted)).toEqual(["publish_running", ["/configs/0"]]);
    await apply(other.admin, wanted, "?abort_plan=true");
  });

  it("C12 is answered from memory when it is repeated, though rules of others stand against it by then", async () => {
    const { admin, rules } = await open();
    const key = { "x-idempotency-key": "k" };
    const done = await apply(admin, first, "", key);
    await apply(admin, bundle(entry("a")));
    await rules(byHand);
    expect(await apply(admin, first, "", key)).toEqual(done);
    expect(await refusalOf(admin, APPLY, first)).toEqual(["conflict", ["/configs/0"]]);
    expect(await served(admin)).toMatchObject(byHand);
  });
});

describe("C13 contents beside that of an entry", () => {
  const versions = [
    { name: "old", content: "0" },
    { name: "older", content: "7" },
  ];

  it.each<[string, Record<string, unknown>, string[]]>([
    ["one of them", { releases: [{ version: "old" }] }, ["/configs/1/versions/1"]],
    ["without rules", {}, ["/configs/1/versions/0", "/configs/1/versions/1"]],
  ])("C13 are refused when no rule names them: %s", async (_name, more, paths) => {
    const admin = testingAdmin();
    const body = bundle(entry("ok"), entry("a", "1", { versions, ...more }));
    expect(await refusalOf(admin, `${APPLY}?dry_run=true`, body)).toEqual(["validation_failed", paths]);
  });

  it("C13 are taken when each is named", async () => {
    const releases = [{ version: "old", labels: { tier: "gold" } }, { version: "older" }];
    const admin = testingAdmin();
    const body = bundle(entry("a", "1", { versions, releases }));
    await apply(admin, body);
    expect((await apply(admin, body)).has_changes).toBe(false);
  });
});
