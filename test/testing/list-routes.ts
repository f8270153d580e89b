/** The routes of the whole admin API, with what each declares: without a database, since nothing is asked of it. */
import { routesWithDatabase } from "../../workers/admin/routes-with-database.ts";
import type { RouteAccess } from "../../workers/admin/route-access.ts";
import { testingAdmin } from "../../workers/admin/testing-admin.ts";

export interface ListedRoute {
  method: string;
  path: string;
  summary: string;
  /** Undefined when the route was not declared by `declareRoute`. */
  access: RouteAccess;
}

const away = (): never => {
  throw new Error("routes are only listed");
};

/** As the router has them: a route that was added past the OpenAPI document is there, too, and has no declaration. */
export function listRoutes(): ListedRoute[] {
  const { app } = testingAdmin();
  const deps = {
    signingKey: away,
    database: away,
    release: () => undefined,
    passwords: { verify: away, hash: away },
    oidc: away,
    nowMs: () => 0,
  };
  for (const register of routesWithDatabase(deps)) register(app);
  const { paths = {} } = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "", version: "" } });
  const served = new Map(
    app.routes
      .filter((route) => route.method !== "ALL")
      .map(({ method, path }) => [
        `${method} ${path}`,
        { method, path: path.replaceAll(/\/:(\w+)/g, "/{$1}") },
      ]),
  );
  return [...served.values()].map(({ method, path }) => {
    const item = paths[path] as Record<string, Operation> | undefined;
    const operation = item?.[method.toLowerCase()];
    return {
      method,
      path,
      summary: operation?.summary ?? "",
      access: operation?.["x-conflux-access"] as RouteAccess,
    };
  });
}
interface Operation {
  summary?: string;
  "x-conflux-access"?: RouteAccess;
}
