import type { Context } from "hono";
import type { ApplicationRow } from "../../adapters/postgres/application-rows.ts";
import type { ApplicationView } from "../../contracts/access/applications-api.ts";
import { isConfigName } from "../../domain/config/config-name.ts";
import { noSuch } from "./access-kind.ts";
import { configEtag } from "./command-head.ts";
import type { AdminEnv } from "./principal.ts";
import { hiddenOrEnded, requireDeclaredOrHide } from "./require-permission.ts";

export const APPLICATIONS_PATH = "/api/v1/applications";
/** Neither a tenant's nor an application's name can have it. */
const SEPARATOR = ":";

export function viewApplication(row: ApplicationRow): ApplicationView {
  return {
    id: `${row.tenantId}${SEPARATOR}${row.name}`,
    tenant: row.tenantId,
    name: row.name,
    kms_key_id: row.kmsKeyId,
    created_at: row.createdAt.toISOString(),
    etag: configEtag(row.revision),
  };
}

export const noApplication = (id: string) => noSuch("application", id);

/**
 * The application that an id names, for which the caller has what the route declares. Who may not even read it is told what is
 * told of an id that does not exist.
 */
export async function requireApplicationOfId(
  c: Context<AdminEnv>,
  id: string,
): Promise<{ tenant: string; app: string }> {
  const [tenant = "", app = "", ...rest] = id.split(SEPARATOR);
  if (!isConfigName(tenant) || !isConfigName(app) || rest.length > 0)
    throw await hiddenOrEnded(c, noApplication(id));
  await requireDeclaredOrHide(c, { tenant, app }, () => noApplication(id));
  return { tenant, app };
}
