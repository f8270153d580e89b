/** The operations of the admin API as its own document describes them: nothing else is known of the routes here. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  default?: unknown;
}
export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  schema: Schema;
}
export interface Operation {
  method: string;
  /** As the document has it: `/api/v1/roles/{id}`. */
  path: string;
  parameters: readonly Parameter[];
  body: Schema | null;
  /** Wants no token, so that a 401 says nothing of the caller's. */
  isPublic: boolean;
}
export interface Api {
  operations: readonly Operation[];
  /** Follows a `$ref` into the document's components; any other schema is answered as it is. */
  resolve(schema: Schema): Schema;
}

interface Document {
  paths: Record<string, Record<string, DocumentOperation>>;
  components: { schemas: Record<string, Schema> };
}
interface DocumentOperation {
  parameters?: Parameter[];
  security?: unknown[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

const COMPONENT = "#/components/schemas/";

export function readOperations(json: unknown): Api {
  const { paths, components } = json as Document;
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { parameters = [], requestBody, security = [] }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content["application/json"]?.schema ?? null,
      isPublic: security.length === 0,
    })),
  );
  if (operations.length === 0) throw new Error("the document names no operation");
  return {
    operations,
    resolve(schema) {
      let found = schema;
      while (found.$ref !== undefined) {
        const next = components.schemas[found.$ref.slice(COMPONENT.length)];
        if (next === undefined) throw new Error(`the document lacks ${found.$ref}`);
        found = next;
      }
      return found;
    },
  };
}
