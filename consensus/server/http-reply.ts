import {
  CORE_LEADER_ID_HEADER,
  CORE_LEADER_PROOF_HEADER,
  CORE_LEADER_URL_HEADER,
  CORE_NODE_ID_HEADER,
} from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import {
  PROBLEM_CONTENT_TYPE,
  retryAfterSeconds,
  toProblem,
  TRACE_ID_HEADER,
} from "../../contracts/problem/problem.ts";
import { NotProposedError, OutcomeUnknownError } from "../replicated-log.ts";
import type { CoreReply } from "./http-router.ts";
import { CommonFields, type ReplyTarget } from "./reply-target.ts";

/** Types of body whose fields are kept ready; a node has a handful. */
const COMMON_TYPES_MAX = 64;

/** The fields that all answers of a node with a type of body have alike. */
export class CommonHeads {
  readonly #nodeId: string;
  readonly #lasting = new Map<string, CommonFields>();
  readonly #last = new Map<string, CommonFields>();

  constructor(nodeId: number) {
    this.#nodeId = String(nodeId);
  }

  of(contentType: string, isLast: boolean): CommonFields {
    const known = isLast ? this.#last : this.#lasting;
    const found = known.get(contentType);
    if (found !== undefined) return found;
    const fields = [
      CORE_NODE_ID_HEADER,
      this.#nodeId,
      "content-type",
      contentType,
      "cache-control",
      "no-store",
    ];
    const made = new CommonFields(fields, isLast);
    if (known.size < COMMON_TYPES_MAX) known.set(contentType, made);
    return made;
  }
}

/** What every answer says. */
export interface ReplyContext {
  heads: CommonHeads;
  traceId: string;
  /** Whether the connection ends with this answer. */
  isLast: boolean;
}

/** Who leads, and where; `url` empty when nobody knows, and then `proof` too. */
export interface LeaderAddress {
  nodeId: number;
  url: string;
  proof: string;
}

/** A body of bytes up to this size leaves in one piece with its head: one system call instead of a gathered write. */
const JOINED_BYTES_MAX = 16 * 1024;

/** The refusal that an error stands for, and the leader it points to. */
export function toRefusal(error: unknown): { refusal: ConfluxError; leaderId: number | null } {
  if (error instanceof ConfluxError) return { refusal: error, leaderId: null };
  if (error instanceof NotProposedError) {
    const refusal = new ConfluxError("not_proposed", error.message, { cause: error, retryAfterS: 1 });
    return { refusal, leaderId: error.leaderId };
  }
  if (error instanceof OutcomeUnknownError) {
    return { refusal: new ConfluxError("outcome_unknown", error.message, { cause: error }), leaderId: null };
  }
  return { refusal: new ConfluxError("internal", "unexpected error", { cause: error }), leaderId: null };
}

export function sendReply(response: ReplyTarget, reply: CoreReply, context: ReplyContext): void {
  const status = reply.status ?? 200;
  if ("json" in reply) {
    sendText(
      response,
      { status, contentType: "application/json", text: JSON.stringify(reply.json) },
      context,
    );
    return;
  }
  const { bytes, contentType } = reply;
  const head = headOf(status, contentType, bytes.byteLength, context);
  if (bytes.byteLength > JOINED_BYTES_MAX) response.send(head, bytes, "utf8");
  else {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
    response.send(head, text, "latin1");
  }
}

function headOf(status: number, contentType: string, bodyBytes: number, context: ReplyContext) {
  const own = ["content-length", String(bodyBytes), TRACE_ID_HEADER, context.traceId];
  return { status, common: context.heads.of(contentType, context.isLast), own };
}

/** Text without anything but ASCII, which nearly all is, need not be encoded. `more`: further fields. */
function sendText(
  response: ReplyTarget,
  { status, contentType, text }: { status: number; contentType: string; text: string },
  context: ReplyContext,
  more: readonly string[] = [],
): void {
  const bodyBytes = Buffer.byteLength(text);
  const head = headOf(status, contentType, bodyBytes, context);
  head.own.push(...more);
  response.send(head, text, bodyBytes === text.length ? "latin1" : "utf8");
}

export function sendRefusal(
  response: ReplyTarget,
  refusal: ConfluxError,
  leader: LeaderAddress | null,
  context: ReplyContext,
): void {
  const problem = toProblem(refusal, context.traceId);
  const text = JSON.stringify(problem);
  // An unread body makes the connection useless: say so instead of reading megabytes to the end.
  const isLast = context.isLast || refusal.code === "payload_too_large";
  const more: string[] = [];
  if (leader !== null) more.push(CORE_LEADER_ID_HEADER, String(leader.nodeId));
  if (leader !== null && leader.url !== "") {
    more.push(CORE_LEADER_URL_HEADER, leader.url, CORE_LEADER_PROOF_HEADER, leader.proof);
  }
  const retryAfterS = retryAfterSeconds(refusal);
  if (retryAfterS !== null) more.push("retry-after", String(retryAfterS));
  const answer = { status: problem.status, contentType: PROBLEM_CONTENT_TYPE, text };
  sendText(response, answer, { ...context, isLast }, more);
}
