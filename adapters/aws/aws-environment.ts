import { z } from "zod";
import type { AwsCredentials } from "./sign-aws-request.ts";

/** What Lambda puts into every function's environment. */
const awsEnvironment = z.object({
  AWS_REGION: z.string(),
  AWS_ACCESS_KEY_ID: z.string(),
  AWS_SECRET_ACCESS_KEY: z.string(),
  AWS_SESSION_TOKEN: z.string().optional(),
});

/** A function's region and credentials. Throws when its environment does not name them. */
export function readAwsEnvironment(environment: Record<string, string | undefined>): {
  region: string;
  credentials: AwsCredentials;
} {
  const { AWS_REGION: region, ...keys } = awsEnvironment.parse(environment);
  const credentials = {
    accessKeyId: keys.AWS_ACCESS_KEY_ID,
    secretAccessKey: keys.AWS_SECRET_ACCESS_KEY,
    sessionToken: keys.AWS_SESSION_TOKEN,
  };
  return { region, credentials };
}
