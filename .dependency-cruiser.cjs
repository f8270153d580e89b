/** Who may import whom (docs/architecture.md). Every rule here is an error; there are no warnings. */
const rule = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });
const test = "\\.test\\.ts$";
/** `from` may import only what `allowed` (regular expressions on resolved paths) names. */
const only = (name, from, allowed, comment) =>
  rule(name, comment, { path: from, pathNot: test }, { pathNot: allowed });

const pkg = (...names) => names.map((n) => `^node_modules/${n}/`);
const src = (...dirs) => dirs.map((d) => `^${d}/`);

module.exports = {
  forbidden: [
    rule("no-circular", "a cycle has no reading order", {}, { circular: true }),
    rule(
      "no-unresolved",
      "every import resolves",
      {},
      { couldNotResolve: true, pathNot: "^cloudflare:|^aws-lambda$" },
    ),
    rule(
      "no-dev-dependencies-in-product",
      "what ships uses dependencies only",
      { path: "^(domain|contracts|consensus|adapters|workers|lambdas|cli|sdk)/", pathNot: `${test}|testing` },
      { dependencyTypes: ["npm-dev"], pathNot: "workers-types" },
    ),
    only("domain-is-pure", "^domain/", [...src("domain"), ...pkg("zod")], "domain imports nothing but zod"),
    only("raft-is-alone", "^consensus/raft/", src("consensus/raft"), "the Raft core imports nothing"),
    only(
      "contracts",
      "^contracts/",
      [...src("contracts", "domain"), ...pkg("zod")],
      "contracts import domain",
    ),
    rule(
      "adapters",
      "adapters import domain, contracts and ports",
      { path: "^adapters/", pathNot: test },
      {
        path: "^(workers|lambdas|consensus|cdk|dev|sdk|cli|console|test|migrations)/",
        pathNot: "^(consensus/replicated-log\\.ts|migrations/schema)",
      },
    ),
    rule(
      "consensus-below-hosts",
      "the core knows no Worker or Lambda",
      { path: "^consensus/", pathNot: test },
      {
        path: "^(workers|lambdas|dev|cdk|sdk|cli|console|test|migrations)/",
      },
    ),
    rule(
      "consensus-library",
      "only the server uses adapters",
      { path: "^consensus/(?!server/)", pathNot: test },
      { path: "^adapters/" },
    ),
    rule(
      "workers-apart",
      "Workers never import each other",
      { path: "^workers/([^/]+)/" },
      {
        path: "^workers/",
        pathNot: "^workers/$1/",
      },
    ),
    rule(
      "hosts-apart",
      "hosts never import each other",
      { path: "^(workers|lambdas)/" },
      {
        path: "^(workers|lambdas|consensus|dev|cdk|sdk|cli|console|test)/",
        pathNot: "^$1/",
      },
    ),
    rule(
      "cdk",
      "the infrastructure imports contracts and AWS's libraries",
      { path: "^cdk/", pathNot: `${test}|testing` },
      { pathNot: [...src("cdk", "contracts"), ...pkg("aws-cdk-lib", "constructs", "cdk-nag", "zod")] },
    ),
    rule(
      "cli",
      "the command line speaks to the admin API: contracts, a parser of arguments, and Node",
      { path: "^cli/(?!break-glass)", pathNot: test },
      { pathNot: [...src("cli", "contracts"), ...pkg("commander", "zod"), "^node:", "^[a-z_/]+$"] },
    ),
    rule(
      "cli-break-glass",
      "the way in for when the API cannot let anybody in goes to the database, through its adapters",
      { path: "^cli/break-glass", pathNot: test },
      {
        pathNot: [
          ...src("cli", "contracts", "adapters/postgres"),
          ...pkg("commander", "ulid"),
          "^node:",
          "^[a-z_/]+$",
        ],
      },
    ),
    rule(
      "sdk",
      "what runs in other people's programs imports contracts alone",
      { path: "^sdk/", pathNot: test },
      { pathNot: src("sdk", "contracts") },
    ),
    rule(
      "deploy-below-hosts",
      "a deployment uses adapters and the settings of the infrastructure, and no host",
      { path: "^deploy/", pathNot: test },
      {
        path: "^(workers|consensus|dev|sdk|cli|console|test|cdk|lambdas)/",
        pathNot: "^(cdk/deployment-settings\\.ts|lambdas/support/argon2id\\.ts)$",
      },
    ),
    rule(
      "nobody-imports-infrastructure",
      "neither the infrastructure nor the deployment is a library",
      { path: "^(?!cdk/|deploy/)" },
      { path: "^(cdk|deploy)/" },
    ),
    rule(
      "nobody-imports-dev",
      "the local stack is not a library",
      { path: "^(?!dev/|test/)" },
      { path: "^dev/" },
    ),
    rule(
      "nobody-imports-test",
      "tests are not a library",
      { path: "^(?!test/)" },
      { path: "^test/", pathNot: "^test/(testing|fixtures)/" },
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(node_modules|coverage|cdk\\.out|\\.conflux|\\.wrangler)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
    builtInModules: { add: ["cloudflare:workers", "cloudflare:test"] },
  },
};
