import { createHash, randomBytes } from "node:crypto";
import { userInfo } from "node:os";
import type { Command } from "commander";
import { ulid } from "ulid";
import type { Database } from "../adapters/postgres/connect.ts";
import { breakGlassReason } from "../contracts/access/session-api.ts";
import { BREAK_GLASS_MINUTES_MAX } from "../contracts/limits.ts";
import { ConfluxError } from "../contracts/problem/error-codes.ts";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";

const MINUTES_DEFAULT = 15;
const MINUTE_MS = 60_000;
const CODE_BYTES = 32;
const TENANTS_MAX = 20;

interface OpenFlags {
  reason: string;
  minutes: string;
  tenant: string[];
  json?: boolean;
}

/**
 * `conflux break-glass open --reason <why>`: makes an operator for a few minutes and prints the code that lets somebody in.
 * Needs the owner's URL of the database and nothing of the API, which may be what is broken.
 */
export function registerBreakGlassOpen(group: Command, io: CliIo): void {
  group
    .command("open")
    .description("let one person in as operator, for minutes; it is audited")
    .requiredOption("--reason <why>", "stands in the audit, with your name")
    .option("--minutes <n>", `how long, at most ${BREAK_GLASS_MINUTES_MAX}`, String(MINUTES_DEFAULT))
    .option("--tenant <name...>", "may do everything in this tenant, too", [])
    .option("--json", "answer as JSON, for programs")
    .action(async (flags: OpenFlags) => {
      const reason = readReason(flags.reason);
      const minutes = readMinutes(flags.minutes);
      if (flags.tenant.length > TENANTS_MAX) {
        throw new CliError(EXIT.usage, `--tenant: at most ${TENANTS_MAX}`);
      }
      const code = randomBytes(CODE_BYTES).toString("base64url");
      const nowMs = Date.now();
      const expiresAtMs = nowMs + minutes * MINUTE_MS;
      const { username } = await asOwner(io, async (database) => {
        // Loaded here: no other verb needs a database.
        const { openBreakGlass } = await import("../adapters/postgres/open-break-glass.ts");
        return openBreakGlass(database, {
          id: ulid(nowMs),
          codeDigest: createHash("sha256").update(code).digest("hex"),
          tenants: flags.tenant,
          reason,
          openedBy: userInfo().username,
          nowMs,
          expiresAtMs,
          unique: () => ulid(),
        });
      });
      const expires_at = new Date(expiresAtMs).toISOString();
      if (flags.json === true) return io.out(JSON.stringify({ username, code, expires_at }));
      io.out(`${username} may come in until ${expires_at}. Exchange this code, once, for an access token:`);
      io.out(code);
      io.out(
        `  curl -sS "$CONFLUX_ADMIN_URL/api/v1/auth/break-glass" -H 'content-type: application/json' -d '{"code":"${code}"}'`,
      );
      io.out("It ends by itself; `conflux break-glass close` ends it sooner.");
    });
}

/** `conflux break-glass close`: ends every break-glass session at once. */
export function registerBreakGlassClose(group: Command, io: CliIo): void {
  group
    .command("close")
    .description("end every break-glass session now")
    .option("--json", "answer as JSON, for programs")
    .action(async (flags: { json?: boolean }) => {
      const nowMs = Date.now();
      const closed = await asOwner(io, async (database) => {
        const { closeBreakGlass } = await import("../adapters/postgres/open-break-glass.ts");
        return closeBreakGlass(database, { closedBy: userInfo().username, nowMs });
      });
      io.out(flags.json === true ? JSON.stringify({ closed }) : `${closed} ended`);
    });
}

function readReason(text: string): string {
  const parsed = breakGlassReason.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CliError(EXIT.usage, `--reason: ${parsed.error.issues[0]?.message ?? "not acceptable"}`);
}

function readMinutes(text: string): number {
  const minutes = Number(text);
  if (Number.isInteger(minutes) && minutes >= 1 && minutes <= BREAK_GLASS_MINUTES_MAX) return minutes;
  throw new CliError(EXIT.usage, `--minutes must be a whole number from 1 to ${BREAK_GLASS_MINUTES_MAX}`);
}

async function asOwner<T>(io: CliIo, work: (database: Database) => Promise<T>): Promise<T> {
  const url = io.env["CONFLUX_OWNER_DATABASE_URL"] || io.env["DATABASE_URL"] || "";
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new CliError(
      EXIT.usage,
      "set CONFLUX_OWNER_DATABASE_URL (or DATABASE_URL) to the database as its owner: postgres://owner:...@host/conflux",
    );
  }
  const { connectPostgres } = await import("../adapters/postgres/connect.ts");
  const database = connectPostgres(url, { connectionsMax: 1 });
  try {
    return await work(database);
  } catch (error) {
    if (error instanceof ConfluxError) {
      throw new CliError(error.code === "unavailable" ? EXIT.unavailable : EXIT.refused, error.message, {
        cause: error,
      });
    }
    throw error;
  } finally {
    await database.close();
  }
}
