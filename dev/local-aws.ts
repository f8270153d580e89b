import { join } from "node:path";
import { type StackContext, nodeChild, nodeEnv } from "./child-specs.ts";
import type { DynamoDbConfig } from "./dynamodb-endpoint.ts";
import type { KmsConfig } from "./kms-endpoint.ts";
import type { ChildSpec } from "./managed-child.ts";
import { CONFIG_KEY_ALIAS, TOKEN_KEY_ALIAS } from "./names.ts";

/** The local KMS. */
export function kmsSpec({ paths, secrets }: StackContext, port: number): ChildSpec {
  return {
    ...nodeChild("kms", join(import.meta.dirname, "kms-endpoint.ts")),
    env: nodeEnv(paths),
    firstMessage: (): KmsConfig => ({
      port,
      ringPath: paths.kmsKeys,
      aliases: [TOKEN_KEY_ALIAS, CONFIG_KEY_ALIAS],
      accessKeyId: secrets.kms_access_key_id,
    }),
    isReadyMessage: (message) => (message as { type?: string }).type === "ready",
  };
}

/** The local DynamoDB. */
export function dynamoDbSpec({ paths }: StackContext, port: number): ChildSpec {
  return {
    ...nodeChild("dynalite", join(import.meta.dirname, "dynamodb-endpoint.ts")),
    env: nodeEnv(paths),
    firstMessage: (): DynamoDbConfig => ({ port, path: paths.dynamoDb }),
    isReadyMessage: (message) => (message as { type?: string }).type === "ready",
  };
}
