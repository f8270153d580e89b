import type { z } from "zod";
import { encodeCommand } from "../../contracts/core/command-codec.ts";
import type { OperationHead } from "../../contracts/core/cluster-api.ts";
import type { Position } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { COMMAND_FORMAT_VERSION, type Command, type CommandPayloads } from "../../domain/command/command.ts";
import { NotProposedError } from "../replicated-log.ts";
import { findResult, type StoredResult } from "../../domain/command/idempotency.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreRequest } from "./http-router.ts";
import { requireSupported } from "./version-gate.ts";

const BODY_BYTES_MAX = 4_096;

/** Reads an operation's body. Throws `malformed_request` with the fields at fault. */
export async function readOperation<T>(
  request: CoreRequest,
  schema: z.ZodType<T>,
  bytesMax = BODY_BYTES_MAX,
): Promise<T> {
  const text = Buffer.from(await request.body(bytesMax)).toString();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ConfluxError("malformed_request", "the body is no JSON", { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ConfluxError("malformed_request", "the operation is not valid", {
    errors: parsed.error.issues.map(({ path, message }) => ({
      path: path.map((part) => `/${String(part)}`).join(""),
      message,
    })),
  });
}

/** An operation is the leader's: rejects with `NotProposedError` elsewhere, and until this leader knows all that is committed. */
export async function requireLeader(core: CoreContext): Promise<void> {
  await core.log.readBarrier("leader");
  const { role, leaderId } = core.log.status();
  if (role !== "leader") throw new NotProposedError("this node does not lead", leaderId);
}

type OperationKind = "register_node" | "move_node" | "retire_node" | "note_operation" | "note_failure";

/** Who asks for an operation, and under which key. */
export interface OperationRequest {
  head: OperationHead;
  idempotency?: NonNullable<Command["idempotency"]> | undefined;
}

/**
 * What is kept of an earlier request under the same key; null when there was none, or no key. Ask on a leader that knows all
 * that is committed. Throws `idempotency_conflict` when that was another request.
 */
export function findEarlier(core: CoreContext, { idempotency }: OperationRequest): StoredResult | null {
  if (idempotency === undefined) return null;
  const nowMs = core.clock.stampMs(core.store.lastTimestampMs());
  const found = findResult(core.store, { tenant: SYSTEM_TENANT, idempotency }, nowMs);
  if (found !== null && found.digest !== idempotency.digest) {
    throw new ConfluxError("idempotency_conflict", "the idempotency key was used with another request");
  }
  return found;
}

/** Where an operation's answer stands: at its first time, when this one had nothing left to do. */
export function answerAt(
  core: CoreContext,
  earlier: StoredResult | null,
  { worked }: { worked: boolean },
): Position & { replayed: boolean } {
  const replayed = earlier !== null && !worked;
  return { ...core.position(), ...(replayed ? { index: earlier.index } : {}), replayed };
}

/** The request for who proposes its commands: its key is given once, by the first request that had it. */
export function withKeyOnce(request: OperationRequest, earlier: StoredResult | null): OperationRequest {
  const { head, idempotency } = request;
  return earlier === null ? { head, idempotency } : { head };
}

/** Keeps the key of a request that no command of its own carries, with a line in the audit; nothing without a key. */
export async function noteKey(core: CoreContext, request: OperationRequest, summary: string): Promise<void> {
  if (request.idempotency !== undefined) await proposeOperation(core, request, "note_operation", { summary });
}

/**
 * Puts an operation's command into the log; exactly one command of an operation is given its request's key. Throws its
 * refusal, or what the log throws.
 */
export async function proposeOperation<K extends OperationKind>(
  core: CoreContext,
  { head, idempotency }: OperationRequest,
  kind: K,
  payload: CommandPayloads[K],
): Promise<void> {
  requireSupported(kind, () => core.log.status(), core.peers);
  const command = {
    format: COMMAND_FORMAT_VERSION,
    kind,
    tenant: SYSTEM_TENANT,
    ...head,
    idempotency: idempotency ?? null,
    expected_revision: null,
    payload,
  } as Command;
  const stampMs = core.clock.stampMs(core.store.lastTimestampMs());
  const entry = encodeLogEntry(stampMs, encodeCommand({ command, attachments: [] }));
  const { result } = await core.log.propose(entry);
  if (!result.ok) throw new ConfluxError(result.code, result.detail, { errors: result.errors ?? [] });
}

/** Polls until `check` answers something else than null or `deadlineMs` (of performance.now) is past; then null. */
export async function waitFor<T>(
  check: () => T | null,
  deadlineMs: number,
  everyMs: number,
): Promise<T | null> {
  for (;;) {
    const found = check();
    if (found !== null || performance.now() >= deadlineMs) return found;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
