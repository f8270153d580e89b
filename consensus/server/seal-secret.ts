import { ENVELOPE_CONTENT_TYPE } from "../../contracts/encryption/encryption-context.ts";
import { SEALED_SECRET_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { isConfigName, NAME_RULE } from "../../domain/config/config-name.ts";
import type { ConfigIdentity } from "../../domain/encryption/envelope-text.ts";
import type { CoreContext } from "./core-context.ts";
import type { CoreReply, CoreRequest } from "./http-router.ts";
import { sealingKeysOf } from "./protect-content.ts";

/**
 * Seals a secret for its caller, who puts the envelope into a content (P7). Any node may: nothing is read or written, and
 * the secret is wiped before the answer. Throws what contracts/core/core-port.ts says.
 */
export async function sealSecret(core: CoreContext, request: CoreRequest): Promise<CoreReply> {
  const identity = identityIn(request.query);
  const { keyId } = sealingKeysOf(request.query, undefined);
  const secret = await request.body(SEALED_SECRET_BYTES_MAX);
  try {
    if (core.sealer === null) throw new ConfluxError("conflict", "this core has no key service");
    const { bytes } = await core.sealer.sealBytes(secret, { identity, keyId });
    return { bytes, contentType: ENVELOPE_CONTENT_TYPE };
  } finally {
    secret.fill(0);
  }
}

function identityIn(query: URLSearchParams): ConfigIdentity {
  const name = (field: string): string => {
    const value = query.get(field) ?? "";
    if (isConfigName(value)) return value;
    throw new ConfluxError("malformed_request", `${field} is not valid`, {
      errors: [{ path: `/${field}`, message: NAME_RULE }],
    });
  };
  return { tenant: name("tenant"), app: name("app"), env: name("env"), name: name("name") };
}
