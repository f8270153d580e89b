import { FEED_CURSORS_TABLE, LEASES_TABLE } from "../contracts/dynamodb/tables.ts";

/** What a function is given of the system. Each becomes variables and, where AWS guards it, a statement of its role. */
export type FunctionNeed =
  | "core"
  | "database"
  | "lambda-service-key"
  | "cursors"
  | "leases"
  | "publish-hints"
  | typeof WEBHOOK_FUNCTION;

/** The one function that others invoke. */
export const WEBHOOK_FUNCTION = "gate-webhook";
/** The one function that the queue of hints calls. */
export const HINTED_FUNCTION = "publish-stage";

export interface FunctionDefinition {
  /** The file in lambdas/ without its suffix, and the function's name after `conflux-`. */
  name: string;
  description: string;
  needs: readonly FunctionNeed[];
  memoryMib: number;
  timeoutS: number;
  /** Called by a schedule this often; null: by whoever needs it, and by the public through a URL only if it has one. */
  everyMinutes: number | null;
  hasUrl: boolean;
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
    needs: ["core", "database", "cursors"],
    memoryMib: 512,
    // It ends with a reserve for the anchor on its way; what is left is the next minute's.
    timeoutS: 55,
    everyMinutes: 1,
    hasUrl: false,
    inVpc: true,
  },
  {
    name: "feed-projection",
    description: "Projects the core's feed into Postgres, and hints at plans that may go on soon",
    needs: ["core", "database", "cursors", "publish-hints"],
    memoryMib: 256,
    // The handler works until shortly before its deadline, and the schedule begins it anew.
    timeoutS: 60,
    everyMinutes: 1,
    hasUrl: false,
    inVpc: true,
  },
  {
    name: WEBHOOK_FUNCTION,
    description: "Posts to the webhooks of publish plans' gates",
    needs: [],
    memoryMib: 256,
    // A webhook's longest time and a start.
    timeoutS: 10,
    everyMinutes: null,
    hasUrl: false,
    inVpc: false,
  },
  {
    name: "password-hash",
    description: "argon2id for the admin Worker",
    needs: ["lambda-service-key"],
    // A share of a processor goes with the memory: a full one at 1,769 MiB.
    memoryMib: 1769,
    timeoutS: 10,
    everyMinutes: null,
    hasUrl: true,
    inVpc: false,
  },
  {
    name: HINTED_FUNCTION,
    description: "Moves publish plans on whose stage has baked, as their gates say",
    needs: ["core", "leases", "database", "lambda-service-key", WEBHOOK_FUNCTION],
    memoryMib: 256,
    // It keeps a reserve for the moves on their way; what a backlog leaves is the next minute's.
    timeoutS: 50,
    everyMinutes: 1,
    hasUrl: false,
    inVpc: true,
  },
];
