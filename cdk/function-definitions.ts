import { FEED_CURSORS_TABLE, LEASES_TABLE } from "../contracts/dynamodb/tables.ts";

/** What a function is given of the system. Each becomes variables and, where AWS guards it, a statement of its role. */
export type FunctionNeed = "core" | "database" | "lambda-service-key" | "cursors" | "leases";

export interface FunctionDefinition {
  /** The file in lambdas/ without its suffix, and the function's name after `conflux-`. */
  name: string;
  description: string;
  needs: readonly FunctionNeed[];
  memoryMib: number;
  timeoutS: number;
  /** Called by a schedule this often; null when it has a URL instead. */
  everyMinutes: number | null;
  /** In the VPC only when something it needs is there. */
  inVpc: boolean;
}

/** Tables that a need opens, and what may be done there. */
export const TABLES_OF_NEED: Readonly<
  Partial<Record<FunctionNeed, { table: string; actions: readonly string[] }>>
> = {
  cursors: {
    table: FEED_CURSORS_TABLE.tableName,
    actions: ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
  },
  leases: { table: LEASES_TABLE.tableName, actions: ["dynamodb:PutItem", "dynamodb:DeleteItem"] },
};

/** One entry a file of lambdas/; a test fails for a file without one. */
export const FUNCTION_DEFINITIONS: readonly FunctionDefinition[] = [
  {
    name: "audit-anchor",
    description: "Verifies the audit's chains and anchors them in the log",
    needs: ["core", "database"],
    memoryMib: 512,
    // It ends with a reserve for the anchor on its way; what is left is the next minute's.
    timeoutS: 55,
    everyMinutes: 1,
    inVpc: true,
  },
  {
    name: "feed-projection",
    description: "Projects the core's feed into Postgres",
    needs: ["core", "database", "cursors"],
    memoryMib: 256,
    // The handler works until shortly before its deadline, and the schedule begins it anew.
    timeoutS: 60,
    everyMinutes: 1,
    inVpc: true,
  },
  {
    name: "password-hash",
    description: "argon2id for the admin Worker",
    needs: ["lambda-service-key"],
    // A share of a processor goes with the memory: a full one at 1,769 MiB.
    memoryMib: 1769,
    timeoutS: 10,
    everyMinutes: null,
    inVpc: false,
  },
  {
    name: "publish-stage",
    description: "Moves publish plans on whose stage has baked",
    needs: ["core", "leases"],
    memoryMib: 256,
    // It keeps a reserve for the moves on their way; what a backlog leaves is the next minute's.
    timeoutS: 50,
    everyMinutes: 1,
    inVpc: true,
  },
];
