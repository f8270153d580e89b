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
import type { ReplyTarget } from "./http-lane.ts";
import type { CoreReply } from "./http-router.ts";

/** What every answer says. */
export interface ReplyContext {
  nodeId: number;
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

/** Name and value by turns: the one form of headers that node:http writes without taking it apart. */
function headers(context: ReplyContext, contentType: string, bodyBytes: number): string[] {
  const fields = [
    CORE_NODE_ID_HEADER,
    String(context.nodeId),
    "content-type",
    contentType,
    "content-length",
    String(bodyBytes),
    "cache-control",
    "no-store",
    TRACE_ID_HEADER,
    context.traceId,
  ];
  if (context.isLast) fields.push("connection", "close");
  return fields;
}

export function sendReply(response: ReplyTarget, reply: CoreReply, context: ReplyContext): void {
  const status = reply.status ?? 200;
  if ("json" in reply) {
    sendText(response, status, JSON.stringify(reply.json), (bytes) =>
      headers(context, "application/json", bytes),
    );
    return;
  }
  const { bytes, contentType } = reply;
  response.writeHead(status, headers(context, contentType, bytes.byteLength));
  if (bytes.byteLength > JOINED_BYTES_MAX) response.end(bytes, "utf8");
  else
    response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"), "latin1");
}

/** Text without anything but ASCII, which nearly all is, need not be encoded. */
function sendText(
  response: ReplyTarget,
  status: number,
  text: string,
  fieldsOf: (bodyBytes: number) => string[],
): void {
  const bodyBytes = Buffer.byteLength(text);
  response.writeHead(status, fieldsOf(bodyBytes));
  response.end(text, bodyBytes === text.length ? "latin1" : "utf8");
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
  sendText(response, problem.status, text, (bodyBytes) => {
    const fields = headers({ ...context, isLast }, PROBLEM_CONTENT_TYPE, bodyBytes);
    if (leader !== null) fields.push(CORE_LEADER_ID_HEADER, String(leader.nodeId));
    if (leader !== null && leader.url !== "") {
      fields.push(CORE_LEADER_URL_HEADER, leader.url, CORE_LEADER_PROOF_HEADER, leader.proof);
    }
    const retryAfterS = retryAfterSeconds(refusal);
    if (retryAfterS !== null) fields.push("retry-after", String(retryAfterS));
    return fields;
  });
}
