/** `npm run routes`: writes the table of routes into docs/security.md, from what the routes declare. */
import { readFileSync, writeFileSync } from "node:fs";
import { AUTHENTICATED_REASONS, PUBLIC_REASONS, type RouteAccess } from "../../workers/admin/route-access.ts";
import { listRoutes } from "../testing/list-routes.ts";

const DOC = "docs/security.md";
const BEGIN = "<!-- routes: begin -->";
const END = "<!-- routes: end -->";

/** The table as it stands between the marks of docs/security.md. */
export function routeTable(): string {
  const rows = listRoutes().map(
    ({ method, path, access }) => `| \`${method} ${path}\` | ${describe(access)} |`,
  );
  return ["| route | who may |", "|---|---|", ...rows].join("\n");
}

function describe(access: RouteAccess): string {
  if ("public" in access) return `anyone: ${PUBLIC_REASONS[access.public]}`;
  if ("authenticated" in access) return `any signed-in user: ${AUTHENTICATED_REASONS[access.authenticated]}`;
  const or = access.or === undefined ? "" : ` or \`${access.or}\``;
  const also = access.also === undefined ? "" : `; also ${access.also}`;
  return `${access.action} on \`${access.resource}\`${or}${also}`;
}

/** The page's text before, between and after the marks. */
export function splitDoc(): { before: string; table: string; after: string } {
  const text = readFileSync(DOC, "utf8");
  const [from, to] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  return { before: text.slice(0, from), table: text.slice(from, to).trim(), after: text.slice(to) };
}

if (import.meta.main) {
  const { before, after } = splitDoc();
  writeFileSync(DOC, `${before}\n\n${routeTable()}\n\n${after}`);
}
