import type { OpenAPIHono } from "@hono/zod-openapi";
import { registerGrayAbort } from "./gray-abort.ts";
import { registerGrayAdvance } from "./gray-advance.ts";
import { registerGrayCreate } from "./gray-create.ts";
import { registerGrayEdit } from "./gray-edit.ts";
import { registerGrayGet } from "./gray-get.ts";
import { registerGrayList } from "./gray-list.ts";
import { registerGrayPublish } from "./gray-publish.ts";
import { GRAY_RESOURCES } from "./gray-resources.ts";
import { registerGrayVersions } from "./gray-versions.ts";
import type { AdminEnv } from "./principal.ts";

const OF_EACH = [
  registerGrayCreate,
  registerGrayList,
  registerGrayGet,
  registerGrayEdit,
  registerGrayVersions,
  registerGrayPublish,
  registerGrayAdvance,
  registerGrayAbort,
];

/** The three typed configs of seed 000 (P1, P2). */
export const GRAY_ROUTES = GRAY_RESOURCES.flatMap((resource) =>
  OF_EACH.map(
    (register) =>
      (app: OpenAPIHono<AdminEnv>): void =>
        register(app, resource),
  ),
);
