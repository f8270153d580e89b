import { newConfig, type TestingAdmin } from "./testing-admin.ts";

export const CONFIGS = "/api/v1/mgt/configs";
export const PUBLISHES = "/api/v1/mgt/publishes";
export const STAGE = { name: "first region", regions: ["cn-chengdu"], bake_minutes: 0.5 };

/** A request for a plan of one stage with a new version. */
export const plan = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  content: '{"retries": 3}',
  description: "three",
  strategy: { type: "staged", stages: [STAGE] },
  ...changes,
});

/** The path of a new config whose version 1 is the default, and whose schema asks for a number of retries. */
export async function createConfigToPublish(admin: TestingAdmin): Promise<string> {
  const schema = { type: "object", properties: { retries: { type: "integer" } } };
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true, schema }));
  return `${CONFIGS}/${(await created.json<{ id: string }>()).id}`;
}
