import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import { consistencySchema, idParams } from "../../contracts/config/fields.ts";
import { resolveView } from "../../contracts/config/release-schemas.ts";
import { LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX } from "../../contracts/limits.ts";
import { ConfluxError, type FieldError } from "../../contracts/problem/error-codes.ts";
import { LABEL_HEADER_PREFIX, parseClientLabels } from "../../domain/delivery/client-labels.ts";
import { explainRules } from "../../domain/release-rule/explain.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";

const LABEL = "label.";
const REGION = "edge.region";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/resolve",
    tags: ["releases"],
    summary: "Say what a client with these labels gets, and why",
    description:
      "Labels are query parameters label.<name>=<value>; edge.region is the region of the client's edge.",
    request: {
      params: idParams,
      query: z
        .object({ consistency: consistencySchema, [REGION]: z.string().max(64).optional() })
        .catchall(z.string().max(LABEL_VALUE_BYTES_MAX)),
    },
    responses: {
      200: { description: "The deciding rule and every rule's reason", content: json(resolveView) },
    },
  },
);

/** C8: the code the edge runs, with the reason for every rule. */
export function registerConfigResolve(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency, ...query } = c.req.valid("query");
    const { labels, region } = readClient(query, c.var.deps.regions);
    const config = await findConfig(c, c.req.valid("param").id, consistency);
    const { winner, trace } = explainRules(
      { rules: config.releases, labels, region, configId: config.id },
      compileRulePattern,
    );
    return c.json(
      {
        version_id: winner?.rule.version_id ?? null,
        rule: winner && { ...winner.rule, position: winner.position },
        trace,
      },
      200,
    );
  });
}

function readClient(query: Record<string, string | undefined>, regions: readonly string[]) {
  const errors: FieldError[] = [];
  const headers: [string, string][] = [];
  for (const [key, value = ""] of Object.entries(query)) {
    // A header's value has no blanks at its ends (RFC 9110, 5.5): the edge would never see them.
    const sent = value.replaceAll(/^[ \t]+|[ \t]+$/g, "");
    if (key.startsWith(LABEL)) headers.push([LABEL_HEADER_PREFIX + key.slice(LABEL.length), sent]);
    else if (key !== REGION)
      errors.push({ path: `/query/${key}`, message: `unknown; accepted: ${LABEL}<name>, ${REGION}` });
  }
  const region = query[REGION] ?? null;
  if (region !== null && !regions.includes(region)) {
    errors.push({ path: `/query/${REGION}`, message: `unknown region; accepted: ${regions.join(", ")}` });
  }
  const parsed = parseClientLabels(headers, {
    labelsMax: LABELS_MAX,
    nameBytesMax: LABEL_NAME_BYTES_MAX,
    valueBytesMax: LABEL_VALUE_BYTES_MAX,
  });
  if (!parsed.ok) {
    for (const { path, message } of parsed.errors) {
      errors.push({ path: `/query/${LABEL}${path.slice(LABEL_HEADER_PREFIX.length)}`, message });
    }
  }
  if (!parsed.ok || errors.length > 0) {
    throw new ConfluxError("validation_failed", "The client cannot be simulated", { errors });
  }
  return { labels: parsed.labels, region };
}
