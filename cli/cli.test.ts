// Over 400 lines: every way to say a command line wrong, over one server that answers what each verb asks.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { toProblem } from "../contracts/problem/problem.ts";
import { ConfluxError } from "../contracts/problem/error-codes.ts";
import { runCli } from "./run-cli.ts";

const cwd = mkdtempSync(join(tmpdir(), "conflux-cli-"));
afterAll(() => rmSync(cwd, { recursive: true }));

const NODE = {
  role: "follower",
  raft_address: "h:7501",
  match_index: 0,
  last_applied: 0,
  healthy: true,
  fenced: false,
};
const STATUS = {
  cluster_id: "c1",
  epoch: 1,
  leader_id: 1,
  term: 4,
  nodes: [
    { ...NODE, node_id: 1, role: "leader", match_index: 9, last_applied: 9 },
    { ...NODE, node_id: 4, role: "learner", raft_address: "h:7504", healthy: false },
    { ...NODE, node_id: 5, fenced: true },
    { ...NODE, node_id: 6, fenced: true, healthy: false },
  ],
};
const ENV = { CONFLUX_ADMIN_URL: "http://admin.test", CONFLUX_TOKEN: "t1" };

interface Ran {
  code: number;
  out: string;
  err: string;
  asked: { url: string; method: string; headers: Record<string, string>; body: unknown }[];
}
/** Runs a command line against an API that answers `answer`. */
async function run(
  args: string[],
  options: { env?: Record<string, string>; isTerminal?: boolean; answer?: () => Response } = {},
): Promise<Ran> {
  const ran: Ran = { code: -1, out: "", err: "", asked: [] };
  ran.code = await runCli(args, {
    env: options.env ?? ENV,
    cwd,
    isTerminal: options.isTerminal ?? false,
    out: (text) => {
      ran.out += `${text}\n`;
    },
    err: (text) => {
      ran.err += `${text}\n`;
    },
    fetch: async (input, init) => {
      ran.asked.push({
        url: new Request(input).url,
        method: init?.method ?? "GET",
        headers: init?.headers as Record<string, string>,
        body: typeof init?.body !== "string" ? null : (JSON.parse(init.body) as unknown),
      });
      return options.answer?.() ?? Response.json(STATUS);
    },
  });
  return ran;
}
const refusal = (error: ConfluxError): Response => {
  const problem = toProblem(error, "0".repeat(32));
  return Response.json(problem, { status: problem.status });
};

describe("U3 conflux", () => {
  it("shows the cluster as a table, without colours in a pipe", async () => {
    const { code, out, err, asked } = await run(["cluster", "status"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe(
      [
        "cluster c1, epoch 1, term 4, leader: node 1",
        "NODE  ROLE      ADDRESS  MATCH  APPLIED  STATE",
        "1     leader    h:7501   9      9        up",
        "4     learner   h:7504   -      -        down",
        "5     follower  h:7501   0      0        fenced",
        "6     follower  h:7501   -      -        fenced, down",
        "node 5 has lost its disk and never votes: add a node under a new id, then remove node 5",
        "node 6 has lost its disk and never votes: add a node under a new id, then remove node 6",
        "until then one more lost disk may leave the cluster without a majority",
        "",
      ].join("\n"),
    );
    expect(asked[0]).toMatchObject({
      url: "http://admin.test/api/v1/mgt/cluster/status",
      headers: { authorization: "Bearer t1" },
    });
  });

  it("R5 says that no leader is known, and calls no node down that nobody has asked", async () => {
    const nodes = [
      { ...NODE, node_id: 1, healthy: true },
      { ...NODE, node_id: 2, healthy: false },
      { ...NODE, node_id: 3, healthy: false },
    ];
    const answer = (): Response => Response.json({ ...STATUS, leader_id: null, nodes });
    const { code, out } = await run(["cluster", "status"], { answer });
    expect([code, out.match(/(up|down|not known)$/gm)]).toEqual([
      0,
      ["up", "not known", "not known", "not known"],
    ]);
    expect(out).toMatch(/\nno leader is known: writes are refused, and .* is not known\n$/);
  });

  it("R5 tells of no near end while a fenced voter leaves more than a majority", async () => {
    const nodes = [1, 2, 3, 4, 5].map((node_id) => ({ ...NODE, node_id, fenced: node_id === 5 }));
    const { out } = await run(["cluster", "status"], { answer: () => Response.json({ ...STATUS, nodes }) });
    expect(out).toContain("remove node 5\n");
    expect(out).not.toContain("one more lost disk");
  });

  it("R5 add-node says of a fenced voter that it must be replaced, and ends with 1", async () => {
    const added = { node_id: 5, role: "voter", match_index: 9, last_index: 9, index: "i" };
    const answers = [added, STATUS];
    const answer = (): Response => Response.json(answers.shift());
    const { code, out, err, asked } = await run(["cluster", "add-node", "5", "h:7505"], { answer });
    expect([code, out, asked.length]).toEqual([1, "", 2]);
    expect(err).toMatch(/node 5 is a voter, but it is fenced: .* new id, then remove node 5/);
  });

  it("R5 takes the nodes of an API that does not know of fences yet for not fenced", async () => {
    const nodes = STATUS.nodes.map(({ fenced: _none, ...node }) => node);
    const { out } = await run(["cluster", "status"], { answer: () => Response.json({ ...STATUS, nodes }) });
    expect(out).toMatch(/^5 .* up\n6 .* down\n$/m);
  });

  it("colours on a terminal, unless NO_COLOR is set", async () => {
    expect((await run(["cluster", "status"], { isTerminal: true })).out).toContain("\u001B[32mup");
    const plain = await run(["cluster", "status"], { isTerminal: true, env: { ...ENV, NO_COLOR: "1" } });
    expect(plain.out).not.toContain("\u001B");
  });

  it("--json answers what the API answered, in one line", async () => {
    const { out } = await run(["cluster", "status", "--json"]);
    expect(JSON.parse(out)).toEqual(STATUS);
    expect(out.trim()).not.toContain("\n");
  });

  it("finds address and token in flags, then the environment, then dev.json", async () => {
    const flags = ["--url", "http://flag.test/", "--token", "t2"];
    expect((await run(["cluster", "status", ...flags])).asked[0]).toMatchObject({
      url: "http://flag.test/api/v1/mgt/cluster/status",
      headers: { authorization: "Bearer t2" },
    });
    const without = await run(["cluster", "status"], { env: { CONFLUX_DATA_DIR: cwd } });
    expect([without.code, without.err]).toEqual([2, expect.stringContaining("no address")]);
    writeFileSync(
      join(cwd, "dev.json"),
      JSON.stringify({ admin_url: "http://localhost:1", admin_token: "t3" }),
    );
    expect((await run(["cluster", "status"], { env: { CONFLUX_DATA_DIR: cwd } })).asked[0]).toMatchObject({
      url: "http://localhost:1/api/v1/mgt/cluster/status",
      headers: { authorization: "Bearer t3" },
    });
    const empty = { CONFLUX_DATA_DIR: cwd, CONFLUX_TOKEN: "", CONFLUX_ADMIN_URL: "" };
    expect((await run(["cluster", "status"], { env: empty })).asked[0]).toMatchObject({
      url: "http://localhost:1/api/v1/mgt/cluster/status",
      headers: { authorization: "Bearer t3" },
    });
    const half = await run(["cluster", "status", "--url", "http://other.test"], {
      env: { CONFLUX_DATA_DIR: cwd },
    });
    expect([half.code, half.err]).toEqual([2, expect.stringContaining("no token")]);
  });

  it.each(["", "/", "/api/v1", "/api/v1/", "//api/v1//"])(
    "takes the address with what npm start prints behind it: %j",
    async (more) => {
      for (const [base, at] of [
        ["http://a.test", "http://a.test/api/v1/mgt/cluster/status"],
        ["http://a.test/below", "http://a.test/below/api/v1/mgt/cluster/status"],
      ]) {
        const { code, asked } = await run(["cluster", "status", "--url", `${base}${more}`, "--token", "t"]);
        expect([code, asked[0]?.url]).toEqual([0, at]);
      }
    },
  );

  it.each([
    ["--token", "sec\nret"],
    ["--token", "sec ret"],
    ["--token", "sec\0ret"],
    ["--token", "secrét"],
    ["--url", "http://sec\nret.test"],
    ["--url", "http://ada:secret@a.test"],
  ])("sends no %s that no header carries, and does not print it: %j", async (flag, value) => {
    const { code, out, err, asked } = await run(["cluster", "status", flag, value]);
    expect([code, out, asked]).toEqual([1, "", []]);
    expect(err).not.toMatch(/sec|r[eé]t\b/);
    const env = { ...ENV, [flag === "--url" ? "CONFLUX_ADMIN_URL" : "CONFLUX_TOKEN"]: value };
    expect(await run(["cluster", "status"], { env })).toMatchObject({ code: 1, err, asked: [] });
  });

  it("takes a token with a line break at its end for the one without", async () => {
    const { asked } = await run(["cluster", "status", "--token", "t2\n"]);
    expect(asked[0]?.headers["authorization"]).toBe("Bearer t2");
  });

  it.each([
    { args: ["cluster", "nothing"], says: "unknown command" },
    { args: ["nothing"], says: "unknown command" },
    { args: ["cluster", "status", "--nothing"], says: "unknown option" },
    { args: ["cluster", "status", "more"], says: "too many arguments" },
    { args: ["cluster", "add-node", "4"], says: "missing required argument" },
    { args: ["cluster", "add-node", "four", "h:1"], says: "is no node id" },
    { args: ["cluster", "remove-node", "0"], says: "is no node id" },
    { args: ["cluster", "add-node", "4", "127.0.0.1"], says: "is no raft address: expected host:port" },
    { args: ["cluster", "add-node", "4", "h:99999"], says: "a port is at most 65535" },
    { args: ["cluster", "backups", "--limit", "0"], says: "a whole number from 1 to 200" },
    { args: ["cluster", "backups", "--limit", "201"], says: "a whole number from 1 to 200" },
    { args: ["cluster", "backups", "--limit", "ten"], says: "a whole number from 1 to 200" },
    { args: ["cluster", "status", "--url", "ftp://x", "--token", "t"], says: "no address like" },
  ])("ends with 2 for $args", async ({ args, says }) => {
    const { code, err, asked } = await run(args);
    expect([code, err]).toEqual([2, expect.stringContaining(says)]);
    expect(asked).toEqual([]);
  });

  it.each([
    ["cluster status", ["--url", "--token"]],
    ["cluster backups", ["--limit", "--url", "--token"]],
    ["break-glass open", ["--reason", "--minutes", "--tenant"]],
    ["encryption rewrap demo", ["--cursor", "--url", "--token"]],
    ["audit verify", ["--tenant", "--url", "--token"]],
    ["export", ["--tenant", "--app", "--env", "--bundle", "--dir"]],
  ])("takes no flag for a value: %s", async (verb, flags) => {
    for (const flag of flags) {
      const { code, err, asked } = await run([...verb.split(" "), flag, "--json"]);
      expect([code, err, asked]).toEqual([2, expect.stringContaining(`write ${flag}=--json`), []]);
    }
  });

  it("takes a value that looks like a flag behind =, and one of a single dash", async () => {
    for (const token of [["--token=--json"], ["--token", "-"], ["--token", "-1"]]) {
      const { code, asked } = await run(["cluster", "status", ...token]);
      const value = token.at(-1)?.replace("--token=", "");
      expect([code, asked[0]?.headers["authorization"]]).toEqual([0, `Bearer ${value}`]);
    }
  });

  it.each([
    {
      args: ["add-node", "4", "h:7504"],
      body: { node_id: 4, raft_address: "h:7504" },
      answer: { node_id: 4, role: "voter", match_index: 9, last_index: 9, index: "i" },
      code: 0,
      says: "node 4 is a voter",
    },
    {
      args: ["add-node", "4", "h:7504"],
      body: { node_id: 4, raft_address: "h:7504" },
      answer: { node_id: 4, role: "learner", match_index: 3, last_index: 9, index: "i" },
      code: 1,
      says: "a learner, at 3 of 9",
    },
    {
      args: ["remove-node", "4"],
      body: { node_id: 4 },
      answer: { node_id: 4, index: "i" },
      code: 0,
      says: "no member",
    },
    {
      args: ["transfer-leader"],
      body: {},
      answer: { leader_id: 2, term: 5, index: "i" },
      code: 0,
      says: "node 2 leads",
    },
    {
      args: ["transfer-leader", "3"],
      body: { target_node_id: 3 },
      answer: { leader_id: 3, term: 5, index: "i" },
      code: 0,
      says: "node 3 leads",
    },
    {
      args: ["snapshot"],
      body: {},
      answer: { node_id: 1, snapshot_index: 9, index: "i" },
      code: 0,
      says: "durable up to 9",
    },
  ])("cluster $args posts and ends with $code", async ({ args, body, answer, code, says }) => {
    const ran = await run(["cluster", ...args], { answer: () => Response.json(answer) });
    expect([ran.code, ran.out]).toEqual([code, expect.stringContaining(says)]);
    expect(ran.asked[0]).toMatchObject({
      method: "POST",
      url: `http://admin.test/api/v1/mgt/cluster/${args[0]}`,
      body,
    });
    expect(ran.asked[0]?.headers["x-idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
    const json = await run(["cluster", ...args, "--json"], { answer: () => Response.json(answer) });
    expect(JSON.parse(json.out)).toEqual(answer);
  });

  it("ends with 1 for a refusal, in the API's words, and with 3 when nobody can answer", async () => {
    const forbidden = await run(["cluster", "status"], {
      answer: () => refusal(new ConfluxError("forbidden", "You need the permission")),
    });
    expect([forbidden.code, forbidden.out, forbidden.err]).toEqual([
      1,
      "",
      expect.stringContaining("forbidden: You need the permission"),
    ]);
    const away = await run(["cluster", "status"], {
      answer: () => refusal(new ConfluxError("unavailable", "no leader")),
    });
    expect([away.code, away.err]).toEqual([3, expect.stringContaining("no leader")]);
    const dead = await run(["cluster", "status"], {
      answer: () => {
        throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
      },
    });
    expect([dead.code, dead.err]).toEqual([3, expect.stringContaining("ECONNREFUSED")]);
    const strange = await run(["cluster", "status"], {
      answer: () => new Response("<html>", { status: 502 }),
    });
    expect([strange.code, strange.err]).toEqual([3, expect.stringContaining("502")]);
  });

  it("says what there is, and the program itself runs on the Node of the install", async () => {
    const { code, out } = await run(["--help"]);
    expect([code, out]).toEqual([0, expect.stringContaining("cluster")]);
    const printed = execFileSync(join(import.meta.dirname, "conflux"), ["cluster", "--help"], {
      encoding: "utf8",
      env: { ...process.env, PATH: "/usr/bin:/bin" },
    });
    expect(printed).toContain("status");
  });
});

describe("K3 U3 conflux encryption rewrap", () => {
  it("goes on page after page, each with a key of its own, and says how many", async () => {
    const pages = [
      { rewrapped: 50, resume_cursor: "shop/prod/a@2", index: "c1.1.9.x" },
      { rewrapped: 3, resume_cursor: null, index: "c1.1.10.x" },
    ];
    const ran = await run(["encryption", "rewrap", "demo/shop"], {
      answer: () => Response.json(pages.shift()),
    });
    expect([ran.code, ran.out]).toEqual([0, "wrapped 53 data keys anew\n"]);
    expect(ran.asked.map(({ body }) => body)).toEqual([
      { tenant: "demo", app: "shop", cursor: null },
      { tenant: "demo", app: "shop", cursor: "shop/prod/a@2" },
    ]);
    expect(new Set(ran.asked.map(({ headers }) => headers["x-idempotency-key"])).size).toBe(2);
  });

  it("says that nothing encrypted is there, and behind a cursor takes it for the end", async () => {
    const answer = (): Response => Response.json({ rewrapped: 0, resume_cursor: null, index: "x" });
    const typo = await run(["encryption", "rewrap", "demo/shoop"], { answer });
    expect([typo.code, typo.err]).toEqual([
      1,
      expect.stringContaining("nothing encrypted was found in demo/shoop"),
    ]);
    const last = ["encryption", "rewrap", "demo", "--cursor", "shop/prod/a@2"];
    expect(await run(last, { answer })).toMatchObject({ code: 0, err: "" });
  });

  it.each(["demo/shop/prod/db.json/extra", "a/b/c/d/e", "demo//prod", "demo/", "", "/"])(
    "asks nothing with the scope %j",
    async (scope) => {
      const { code, err, asked } = await run(["encryption", "rewrap", scope]);
      expect([code, err, asked]).toEqual([2, expect.stringContaining("is no scope"), []]);
    },
  );

  it("says how to go on when it is cut short", async () => {
    const away = new ConfluxError("key_service_unavailable", "The key service did not answer in time");
    const answers = [
      Response.json({ rewrapped: 50, resume_cursor: "shop/prod/a@2", index: "x" }),
      refusal(away),
    ];
    const ran = await run(["encryption", "rewrap", "demo"], {
      answer: () => answers.shift() ?? refusal(away),
    });
    expect(ran.code).toBe(3);
    expect(ran.err).toContain("50 data keys are done; go on with --cursor shop/prod/a@2");
  });
});

const bundle = { bundle: { id: "web", tenant: "demo" }, configs: [] };
writeFileSync(join(cwd, "bundle.json"), JSON.stringify(bundle));

describe("U3 conflux says in one line what is wrong with a file or an answer", () => {
  it.each([
    ["bad.yaml", "a: 1\na: 2\n", "bad.yaml:2:1: Map keys must be unique"],
    ["bad.json", '{ "a": 1,\n "a": 2 }', "bad.json:2:2: Map keys must be unique"],
    ["alias.yaml", "a: *x\n", "alias.yaml: Unresolved alias"],
  ])("%s", async (name, text, says) => {
    writeFileSync(join(cwd, name), text);
    const { code, err, asked } = await run(["apply", name]);
    expect([code, asked]).toEqual([1, []]);
    expect(err).toContain(`conflux: ${join(cwd, says)}`);
    expect(err).not.toMatch(/Error|\n./);
  });

  it("a file that is not there, and a place that cannot be written", async () => {
    expect(await run(["apply", "nowhere"])).toMatchObject({
      code: 1,
      err: `conflux: ${join(cwd, "nowhere")} cannot be read: no such file or directory\n`,
    });
    const entry = { app: "a", env: "e", name: "n", format: "text", content: "x" };
    const answer = (): Response => Response.json({ ...bundle, configs: [entry] });
    const taken = await run(["export", "--tenant", "demo", "--dir", "bundle.json/x"], { answer });
    expect(taken).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^conflux: \S*bundle\.json\/x\S*: not a directory\n$/) as string,
    });
  });

  it("an answer of something else than the API, and a dev.json that is none", async () => {
    const page = await run(["cluster", "status"], { answer: () => new Response("<html>") });
    expect(page).toMatchObject({ code: 1, err: expect.stringContaining("it is not the admin API") });
    const strange = await run(["cluster", "status"], {
      answer: () => Response.json({ ...STATUS, term: "x" }),
    });
    expect([strange.code, strange.err]).toEqual([
      1,
      expect.stringMatching(/^conflux: the API answers what this program does not know: \/term: .*\n$/),
    ]);
    mkdirSync(join(cwd, "broken"));
    writeFileSync(join(cwd, "broken/dev.json"), '{ "admin_token": secret');
    const broken = await run(["cluster", "status"], { env: { CONFLUX_DATA_DIR: join(cwd, "broken") } });
    expect([broken.code, broken.err]).toEqual([2, expect.stringMatching(/broken\/dev\.json is no JSON/)]);
    expect(broken.err).not.toContain("secret");
  });
});

describe("C13 U3 conflux export", () => {
  it("says that nothing is there, and leaves a directory as it is", async () => {
    const nothing = { bundle: { id: "demo-nosuch", tenant: "demo", app: "nosuch" }, configs: [] };
    mkdirSync(join(cwd, "kept"));
    writeFileSync(join(cwd, "kept/bundle.yaml"), "id: web\ntenant: demo\napp: shop\nenv: prod\n");
    writeFileSync(join(cwd, "kept/a"), "x");
    writeFileSync(join(cwd, "kept/a.meta.yaml"), "format: text\n");
    for (const more of [[], ["--json"], ["--dir", "kept"]]) {
      const args = ["export", "--tenant", "demo", "--app", "nosuch", ...more];
      expect(await run(args, { answer: () => Response.json(nothing) })).toMatchObject({
        code: 1,
        out: "",
        err: "conflux: there is nothing to export in demo/nosuch/*\n",
      });
    }
    expect(readdirSync(join(cwd, "kept"))).toEqual(["a", "a.meta.yaml", "bundle.yaml"]);
  });
});

describe("C13 C14 conflux apply in a freeze", () => {
  const applied = { bundle_id: "web", plan: "p", has_changes: false, items: [], warnings: [], index: "i" };
  const apply = (args: string[], dry_run = false) =>
    run(["apply", "bundle.json", ...args], { answer: () => Response.json({ ...applied, dry_run }) });

  it("says what to do about a refusal, and passes with the reason that --break-glass gives", async () => {
    const frozen = new ConfluxError("change_frozen", "changes are frozen until Monday (sale)");
    const refused = await run(["apply", "bundle.json"], { answer: () => refusal(frozen) });
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/change_frozen: changes are frozen until Monday[^]*--break-glass REASON passes/),
    ]);
    expect(refused.asked[0]?.headers).not.toHaveProperty("x-conflux-break-glass");
    for (const more of [[], ["--dry-run"]]) {
      const passed = await apply(["--break-glass", "the shop is down", ...more], more.length > 0);
      expect([passed.code, passed.err]).toEqual([0, ""]);
      expect(passed.asked).toMatchObject([
        { method: "POST", body: bundle, headers: { "x-conflux-break-glass": "the shop is down" } },
      ]);
    }
    const meant = await apply(["--break-glass=--dry-run"]);
    expect([meant.code, meant.asked[0]?.headers]).toEqual([
      0,
      expect.objectContaining({ "x-conflux-break-glass": "--dry-run" }),
    ]);
    expect((await run(["apply", "--help"])).out).toContain("--break-glass <reason>");
  });

  it.each([
    { args: ["--break-glass"], says: "argument missing" },
    { args: ["--break-glass", "--dry-run"], says: "write --break-glass=--dry-run" },
    { args: ["--break-glass", "-h"], says: "argument missing" },
    { args: ["--description", "--dry-run"], says: "argument missing" },
    { args: ["--request-change", "--description", "--dry-run"], says: "argument missing" },
    { args: ["--if-plan", "--", "--dry-run"], says: "argument missing" },
    { args: ["--url", "--dry-run"], says: "argument missing" },
    { args: ["--break-glass", " "], says: "a reason of 1 to 512 characters" },
    { args: ["--break-glass", "x".repeat(513)], says: "512" },
    { args: ["--break-glass", "one\nx-more: two"], says: "one line of ASCII characters" },
    { args: ["--break-glass", "geht nicht für länger"], says: "one line of ASCII characters" },
    { args: ["--break-glass", "why", "--request-change"], says: "who makes the change" },
  ])("asks nothing with $args", async ({ args, says }) => {
    const { code, err, asked } = await apply(args);
    expect([code, err, asked]).toEqual([1, expect.stringContaining(says), []]);
  });
});

describe("C13 C14 conflux apply where changes need approval", () => {
  it("says what to do about a refusal, and asks for the same with --request-change", async () => {
    const needed = new ConfluxError("approval_required", "the change needs 1 approval");
    const refused = await run(["apply", "bundle.json", "--prune"], { answer: () => refusal(needed) });
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/^[^]*approval_required[^]*--request-change asks others to approve/) as string,
    ]);
    const head = { id: "chr-c1-7", digest: "0".repeat(64), expires_at: "2027-01-01T00:00:00.000Z" };
    const times = { created_at: head.expires_at, updated_at: head.expires_at };
    const asked = {
      ...head,
      ...times,
      config_id: null,
      namespace: { tenant: "demo", app: "*", env: "prod" },
      name: "*",
      type: "apply",
      config_etag: null,
      description: "why",
      status: "open",
      author: { id: "u", name: "ada" },
      approvals: [],
      ended: null,
      publish_id: null,
      version_id: null,
      etag: '"7"',
      index: "c1.1.7.x",
      warnings: [],
    };
    const args = ["apply", "bundle.json", "--request-change", "--prune", "--description", "why"];
    const done = await run(args, { answer: () => Response.json(asked) });
    expect([done.code, done.err]).toEqual([0, ""]);
    expect(done.out).toContain("change request chr-c1-7");
    expect(done.asked).toMatchObject([
      {
        url: "http://admin.test/api/v1/mgt/change-requests",
        method: "POST",
        body: { operation: { type: "apply", apply: bundle, prune: true, force: false }, description: "why" },
      },
    ]);
  });

  const stands = [
    { code: "approval_required", reason: "the change needs 1 approval" },
    { code: "change_frozen", reason: "changes are frozen until Monday (sale)" },
  ];
  const plan = { bundle_id: "web", dry_run: true, plan: "p", items: [], warnings: [], index: null };
  it.each([
    { args: [], blocked: stands, code: 1 },
    { args: ["--break-glass", "why"], blocked: stands.slice(0, 1), code: 1 },
    { args: ["--break-glass", "why"], blocked: [], code: 2 },
    { args: ["--request-change"], blocked: stands, code: 2 },
    { args: [], blocked: undefined, code: 2 },
  ])(
    "a dry run with $args that has $blocked against it exits with $code",
    async ({ args, blocked, code }) => {
      const answer = { ...plan, has_changes: true, ...(blocked === undefined ? {} : { blocked }) };
      const ran = await run(["apply", "bundle.json", "--dry-run", ...args], {
        answer: () => Response.json(answer),
      });
      expect(ran.code).toBe(code);
      expect(ran.asked.map(({ url }) => url)).toEqual(["http://admin.test/api/v1/mgt/apply?dry_run=true"]);
      for (const { code: name, reason } of blocked ?? []) expect(ran.out).toContain(`${name}: ${reason}`);
    },
  );
});
