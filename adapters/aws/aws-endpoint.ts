/** Where an AWS service is reached. Everything left out comes from the environment, as it does inside AWS. */
export interface AwsEndpoint {
  /** A stand-in's URL; left out: the service itself. */
  url?: string;
  region?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

const CONNECT_MS_MAX = 500;
const REQUEST_MS_MAX = 2_000;
/** The first attempt and its repeats, with the SDK's own pauses between them. */
const ATTEMPTS_MAX = 3;

/** Options of an SDK client: the endpoint, and limits so that a service that is away is noticed within seconds. */
export function clientOptions({ url, region, credentials }: AwsEndpoint) {
  return {
    ...(url === undefined ? {} : { endpoint: url }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: {
      connectionTimeout: CONNECT_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      throwOnRequestTimeout: true,
    },
  };
}
