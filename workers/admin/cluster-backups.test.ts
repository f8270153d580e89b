import { describe, expect, it } from "vitest";
import { clusterJob } from "../../contracts/backup/backup-api.ts";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

const PATH = "/api/v1/mgt/cluster/backups";
async function jobOf(response: Response) {
  return clusterJob.parse(await response.json());
}

describe("R13 backups by the admin API", () => {
  it("R13 takes one, lists it, proves it and says how the job stands", async () => {
    const { send } = testingAdmin();
    await send("POST", "/api/v1/mgt/configs", newConfig());
    const taken = await send("POST", PATH);
    expect(taken.status).toBe(201);
    const job = await jobOf(taken);
    expect(job).toMatchObject({ kind: "backup", state: "complete", backup: { index: 1 } });
    const list = await send("GET", `${PATH}?limit=1`);
    expect(await list.json()).toEqual({ items: [job.backup], next_cursor: null });
    for (const id of [job.backup_id, "latest"]) {
      const drilled = await jobOf(await send("POST", `${PATH}/${id}/drill`));
      expect(drilled.drill).toMatchObject({ proven: true, backup_id: job.backup_id });
      const again = await send("GET", `/api/v1/mgt/cluster/jobs/${drilled.job_id}?wait_ms=10`);
      expect(await jobOf(again)).toEqual(drilled);
    }
  });

  it("R13 C12 a repetition under one key takes one backup", async () => {
    const { send } = testingAdmin();
    const key = { "x-idempotency-key": "k1" };
    const first = await jobOf(await send("POST", PATH, undefined, key));
    expect(await jobOf(await send("POST", PATH, undefined, key))).toEqual(first);
    const other = await jobOf(await send("POST", PATH, undefined, { "x-idempotency-key": "k2" }));
    expect(other.job_id).not.toBe(first.job_id);
  });

  it("A5 R13 passes on who asks, from where and in which trace, for the audit", async () => {
    const { send, core } = testingAdmin();
    const taken = await send("POST", PATH);
    const drilled = await send("POST", `${PATH}/latest/drill`);
    const { entries } = await core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" });
    const audit = { actor: { type: "user", id: "user-admin", name: "admin" }, ip: "192.0.2.1" };
    expect(entries).toMatchObject(
      [taken, drilled].map((answer) => ({
        tenant: "_system",
        trace_id: answer.headers.get("x-trace-id"),
        audit,
      })),
    );
  });

  it.each([
    ["GET", PATH],
    ["POST", PATH],
    ["POST", `${PATH}/latest/drill`],
    ["GET", "/api/v1/mgt/cluster/jobs/x"],
  ])("A4 %s %s is an operator's alone", async (method, path) => {
    const { send } = testingAdmin();
    for (const token of ["reader", "writer", "stranger"]) {
      const response = await send(method, path, undefined, { authorization: `Bearer ${token}` });
      expect(response.status).toBe(403);
      expect((await readProblem(response)).code).toBe("forbidden");
    }
  });

  it("R13 what is not there is not_found, what makes no sense is refused", async () => {
    const { send } = testingAdmin();
    expect((await send("POST", `${PATH}/latest/drill`)).status).toBe(404);
    expect((await send("GET", "/api/v1/mgt/cluster/jobs/none")).status).toBe(404);
    expect((await send("GET", `${PATH}?limit=0`)).status).toBe(400);
    expect((await send("GET", "/api/v1/mgt/cluster/jobs/x?wait_ms=99999999")).status).toBe(400);
  });
});
