import type { AwsEndpoint } from "../adapters/aws/aws-endpoint.ts";

const LOCAL_REGION = "us-east-1";
const LOCAL = "local";

/**
 * Where an AWS service is for this stack: the user's own endpoint, with the region and credentials of the environment
 * as far as it names some, or the stand-in on `port`, which knows its caller by `accessKeyId`.
 */
export function awsEndpoint(input: {
  ownUrl: string | null;
  port: number | null;
  accessKeyId?: string;
  env: Record<string, string | undefined>;
}): AwsEndpoint {
  const { ownUrl, port, env } = input;
  const credentials = { accessKeyId: input.accessKeyId ?? LOCAL, secretAccessKey: LOCAL };
  if (ownUrl === null) return { url: `http://127.0.0.1:${port}`, region: LOCAL_REGION, credentials };
  const hasCredentials = Boolean(env["AWS_ACCESS_KEY_ID"] ?? env["AWS_PROFILE"]);
  return {
    url: ownUrl,
    region: env["AWS_REGION"] ?? LOCAL_REGION,
    ...(hasCredentials ? {} : { credentials: { accessKeyId: LOCAL, secretAccessKey: LOCAL } }),
  };
}

/** Where the core finds KMS; its own variables, since it may keep its backups with other credentials. */
export function kmsEnvironment({ url, region, credentials }: AwsEndpoint): Record<string, string> {
  return {
    KMS_ENDPOINT: url ?? "",
    CONFLUX_KMS_REGION: region ?? LOCAL_REGION,
    ...(credentials && { KMS_ACCESS_KEY_ID: credentials.accessKeyId }),
  };
}

/** An endpoint's region and credentials as a function finds them in its environment. */
export function awsEnvironment({ region, credentials }: AwsEndpoint): Record<string, string> {
  return {
    AWS_REGION: region ?? LOCAL_REGION,
    ...(credentials && {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    }),
  };
}
