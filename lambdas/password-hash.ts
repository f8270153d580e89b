import {
  PASSWORD_BODY_BYTES_MAX,
  PASSWORD_SERVICE_AUDIENCE,
  passwordRequestSchema,
} from "../contracts/access/password-service.ts";
import { ConfluxError } from "../contracts/problem/error-codes.ts";
import { verifyServiceToken } from "../adapters/tokens/service-token.ts";
import { environmentValue } from "./support/environment-value.ts";
import { hashPassword, verifyPassword } from "./support/argon2id.ts";
import {
  bodyText,
  type FunctionUrlAnswer,
  type FunctionUrlEvent,
  jsonAnswer,
  problemAnswer,
  traceIdOf,
} from "./support/function-url.ts";

/**
 * Hashes and verifies passwords for the admin Worker (contracts/access/password-service.ts). Answers a problem document
 * for any refusal; neither passwords nor hashes are ever logged or quoted in one.
 */
export function createHandler(deps: { serviceKey: string; nowMs: () => number }) {
  return async (event: FunctionUrlEvent): Promise<FunctionUrlAnswer> => {
    const traceId = traceIdOf(event);
    try {
      if (event.requestContext.http.method !== "POST") {
        throw new ConfluxError("method_not_allowed", "Only POST is answered here.");
      }
      await verifyServiceToken(event.headers["authorization"], {
        key: deps.serviceKey,
        audience: PASSWORD_SERVICE_AUDIENCE,
        nowMs: deps.nowMs(),
      });
      const request = parseRequest(bodyText(event, PASSWORD_BODY_BYTES_MAX));
      if (request.op === "hash") return jsonAnswer(200, { hash: await hashPassword(request.password) });
      return jsonAnswer(200, await verifyStored(request.password, request.hash));
    } catch (error) {
      if (!(error instanceof ConfluxError)) throw error;
      return problemAnswer(error, traceId);
    }
  };
}

async function verifyStored(password: string, hash: string | null) {
  try {
    return await verifyPassword(password, hash);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfluxError("validation_failed", "hash is not an argon2id PHC string.", {
      errors: [{ path: "/hash", message: "an argon2id PHC string" }],
    });
  }
}

function parseRequest(text: string) {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, and the text is a password.
    throw new ConfluxError("malformed_request", "The body is not JSON.");
  }
  const parsed = passwordRequestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ConfluxError("validation_failed", "The request does not satisfy its schema.", {
    errors: parsed.error.issues.map((issue) => ({
      path: `/${issue.path.join("/")}`,
      message: issue.message,
    })),
  });
}

/** The deployed function: `LAMBDA_SERVICE_KEY` comes from its environment. */
export const handler = (event: FunctionUrlEvent): Promise<FunctionUrlAnswer> => {
  return createHandler({ serviceKey: environmentValue("LAMBDA_SERVICE_KEY"), nowMs: Date.now })(event);
};
