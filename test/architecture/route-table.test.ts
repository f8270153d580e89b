import { expect, it } from "vitest";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { isResourcePattern } from "../../domain/access/scope.ts";
import { AUTHENTICATED_REASONS, PUBLIC_REASONS, resourceOf } from "../../workers/admin/route-access.ts";
import { listRoutes } from "../testing/list-routes.ts";
import { routeTable, splitDoc } from "./route-table.ts";

it.each(listRoutes())(
  "A4 $method $path declares an action and a resource, or why it needs none",
  ({ access }) => {
    expect(access).toBeDefined();
    if ("public" in access) expect(Object.keys(PUBLIC_REASONS)).toContain(access.public);
    else if ("authenticated" in access)
      expect(Object.keys(AUTHENTICATED_REASONS)).toContain(access.authenticated);
    else {
      expect(PERMISSION_ACTIONS).toContain(access.action);
      const values = { tenant: "t", app: "a", env: "e", name: "n" };
      for (const template of [access.resource, access.or ?? access.resource]) {
        // Roles can hold it, or it belongs to operators.
        const resource = resourceOf(template, values);
        expect(isResourcePattern(resource) || resource.startsWith("_system/")).toBe(true);
      }
    }
  },
);

it("U7 docs/security.md has the table of routes as they are (npm run routes writes it)", () => {
  const plain = (text: string) => text.replaceAll(/ +\|/g, " |").replaceAll(/-+/g, "-");
  expect(plain(splitDoc().table)).toBe(plain(routeTable()));
});
