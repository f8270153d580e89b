import { DRAFT_04 } from "./draft-04.ts";
import { DRAFT_06 } from "./draft-06.ts";
import { DRAFT_07 } from "./draft-07.ts";
import { DRAFT_2019_09 } from "./draft-2019-09.ts";
import { DRAFT_2020_12_VALUES } from "./draft-2020-12-values.ts";
import { DRAFT_2020_12 } from "./draft-2020-12.ts";

/** The schemas of schemas, by URI without a fragment: a schema may refer to them without copying them. */
export const META_SCHEMAS: ReadonlyMap<string, object> = new Map(
  [...DRAFT_04, ...DRAFT_06, ...DRAFT_07, ...DRAFT_2019_09, ...DRAFT_2020_12, ...DRAFT_2020_12_VALUES].map(
    (schema) => {
      const { $id, id } = schema as { $id?: string; id?: string };
      return [($id ?? id ?? "").replace(/#$/, ""), schema];
    },
  ),
);
