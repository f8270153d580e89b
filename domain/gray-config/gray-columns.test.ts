import { describe, expect, it } from "vitest";
import {
  GRAY_CODE_CHARACTERS_MAX,
  GRAY_SECTION_CHARACTERS_MAX,
  GRAY_SECTION_DEPTH_MAX,
  GRAY_SECRET_CHARACTERS_MAX,
  GRAY_TEXT_CHARACTERS_MAX,
} from "../limits.ts";
import { accessKeySecret, COLUMNS_BY_KIND } from "./gray-columns.ts";
import { grayContentText, grayName, readGrayContent, wholeColumns } from "./gray-content.ts";
import { GRAY_KINDS, type GrayKind, grayKindOf } from "./gray-kind.ts";

const ofApi = { gateway_code: "ecs", api_version: "2014-05-26", api_name: "DescribeInstances" };
const KEYS: Record<GrayKind, Record<string, string>> = {
  "data-source": { source: "pop-gateway" },
  "api-record": ofApi,
  "api-meta": ofApi,
};
/** All columns of seed 000, but for those that Conflux tells (id, version_id, status, groups, times) and the secret. */
const COLUMNS: Record<GrayKind, string> = {
  "data-source":
    "source source_group gateway_type dm loghub_endpoint loghub_project loghub_stream loghub_accesskey_id loghub_assume_role_arn loghub_cursor consume_region data_fetch_interval_millis",
  "api-record":
    "gateway_type gateway_code api_version api_name loghub_stream basic_config event_config user_identity_config request_config response_config filter_config reference_resource_config type",
  "api-meta":
    "api_name product gateway_type dm gateway_code api_version actiontrail_code operation_type description visibility isolation_type service_type response_body_log invoke_type resource_spec effective_flag audit_status",
};
const accepts = (kind: GrayKind, columns: Record<string, unknown>): boolean =>
  COLUMNS_BY_KIND[kind].safeParse({ ...KEYS[kind], ...columns }).success;

describe("P1 the columns of seed 000", () => {
  it.each(GRAY_KINDS)(
    "%s has exactly those of its table, and all but the key may be left out or null",
    (kind) => {
      const names = COLUMNS[kind].split(" ");
      expect(Object.keys(COLUMNS_BY_KIND[kind].shape)).toEqual(names);
      expect(accepts(kind, {})).toBe(true);
      const others = names.filter((name) => !(name in KEYS[kind]));
      expect(accepts(kind, Object.fromEntries(others.map((name) => [name, null])))).toBe(true);
      for (const key of Object.keys(KEYS[kind])) {
        expect(accepts(kind, { [key]: null })).toBe(false);
        expect(accepts(kind, { [key]: undefined })).toBe(false);
      }
      expect(accepts(kind, { status: "full" })).toBe(false);
      expect(accepts(kind, { surprise: 1 })).toBe(false);
    },
  );

  const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
  const code = [
    ["POP", "a b", ""],
    ["a\nb", 1, "x".repeat(GRAY_CODE_CHARACTERS_MAX + 1), ["a"]],
  ];
  const name = [
    ["a", "A.b_c~d-1", "x".repeat(128)],
    ["", "a/b", "..", "a..b", "-a", "a.", "a b", "é", 1, "x".repeat(129)],
  ];
  const word = [
    ["k", "LTAI5t"],
    ["a b", "a\tb", 7, {}],
  ];
  const json = [
    [{}, { a: [1, null] }, '{"a": 1}', nested(GRAY_SECTION_DEPTH_MAX)],
    [
      1,
      true,
      [],
      "[]",
      "{",
      "text",
      '"text"',
      nested(GRAY_SECTION_DEPTH_MAX + 1),
      { a: "x".repeat(GRAY_SECTION_CHARACTERS_MAX) },
    ],
  ];
  const table: [GrayKind, string, unknown[][]][] = [
    ["data-source", "source", name],
    ["data-source", "source_group", code],
    ["data-source", "gateway_type", code],
    ["data-source", "dm", code],
    [
      "data-source",
      "loghub_endpoint",
      [
        ["cn-hangzhou.log.aliyuncs.com", "https://sls.example:443/a", "h:80"],
        ["a b", "ftp://x", "-x", "http://", "x".repeat(GRAY_TEXT_CHARACTERS_MAX + 1), 1],
      ],
    ],
    ["data-source", "loghub_project", word],
    ["data-source", "loghub_stream", word],
    ["data-source", "loghub_accesskey_id", word],
    [
      "data-source",
      "loghub_assume_role_arn",
      [
        ["acs:ram::1:role/reader", "arn:aws:iam::1:role/r"],
        ["role/reader", "acs:", "arn:a b", 1],
      ],
    ],
    [
      "data-source",
      "loghub_cursor",
      [
        ["begin", "end", "1732780800", "MTQ0NzI5OTYwNjg5NjYzMjM1Ng=="],
        ["a b", 1],
      ],
    ],
    [
      "data-source",
      "consume_region",
      [
        ["cn-chengdu", "cn-chengdu,cn-shanghai", [], ["cn-chengdu"]],
        [1, [1], [""], ["a b"], "a\nb", Array.from({ length: 65 }, () => "r")],
      ],
    ],
    [
      "data-source",
      "data_fetch_interval_millis",
      [
        [1, 5000, 86_400_000],
        [0, -1, 1.5, "5000", 86_400_001],
      ],
    ],
    ["api-record", "gateway_type", code],
    ["api-record", "gateway_code", name],
    ["api-record", "api_version", name],
    ["api-record", "api_name", name],
    ["api-record", "loghub_stream", word],
    ...["basic", "event", "user_identity", "request", "response", "filter", "reference_resource"].map(
      (of): [GrayKind, string, unknown[][]] => ["api-record", `${of}_config`, json],
    ),
    ["api-record", "type", code],
    [
      "api-meta",
      "description",
      [
        ["two\nlines\t.", ""],
        ["\u0000", 1, "x".repeat(GRAY_TEXT_CHARACTERS_MAX + 1)],
      ],
    ],
    [
      "api-meta",
      "response_body_log",
      [
        [true, false, 0, 1],
        [2, "1", "true"],
      ],
    ],
    ["api-meta", "resource_spec", [["instance/{InstanceId}"], [{}, "a\nb"]]],
    ...["product", "gateway_type", "dm", "actiontrail_code", "operation_type", "visibility"].map(
      (of): [GrayKind, string, unknown[][]] => ["api-meta", of, code],
    ),
    ...["isolation_type", "service_type", "invoke_type", "effective_flag", "audit_status"].map(
      (of): [GrayKind, string, unknown[][]] => ["api-meta", of, code],
    ),
  ];
  it.each(table)("%s.%s takes what it is for, and nothing else", (kind, column, [good = [], bad = []]) => {
    expect(good.filter((value) => !accepts(kind, { [column]: value }))).toEqual([]);
    expect(bad.filter((value) => accepts(kind, { [column]: value }))).toEqual([]);
  });

  it("the table above leaves no column out", () => {
    const tried = new Set(table.map(([kind, column]) => `${kind} ${column}`));
    const all = GRAY_KINDS.flatMap((kind) => COLUMNS[kind].split(" ").map((column) => `${kind} ${column}`));
    // The natural key of both API kinds is the same schema.
    const same = Object.keys(ofApi).map((column) => `api-meta ${column}`);
    expect(all.filter((column) => !tried.has(column) && !same.includes(column))).toEqual([]);
  });

  it("P7 a secret has no white space and an end", () => {
    const long = "x".repeat(GRAY_SECRET_CHARACTERS_MAX);
    expect(["", "s3cr3t/+=", long].every((text) => accessKeySecret.safeParse(text).success)).toBe(true);
    expect(["a b", `${long}x`].some((text) => accessKeySecret.safeParse(text).success)).toBe(false);
  });
});

describe("P1 what a typed config is called, and what its JSON holds", () => {
  it.each([
    ["data-source", { source: "pop" }, "pop"],
    ["api-record", ofApi, "ecs.2014-05-26.DescribeInstances"],
    ["api-meta", ofApi, "ecs.2014-05-26.DescribeInstances"],
  ] as const)("%s %j is %s", (kind, columns, name) => expect(grayName(kind, columns)).toBe(name));

  it.each(GRAY_KINDS)("%s is read as it was written, every column in its place", (kind) => {
    const text = grayContentText(kind, { columns: KEYS[kind], sealedSecret: null });
    expect(Object.keys(JSON.parse(text) as object)).toEqual(COLUMNS[kind].split(" "));
    expect(readGrayContent(kind, text)).toEqual({
      columns: wholeColumns(kind, KEYS[kind]),
      sealedSecret: null,
    });
  });

  it("P7 the envelope of the secret stands beside the columns of a data source, and nowhere else", () => {
    const sealedSecret = { alg: "A256GCM" };
    const text = grayContentText("data-source", { columns: { source: "a" }, sealedSecret });
    expect(readGrayContent("data-source", text)?.sealedSecret).toEqual(sealedSecret);
    expect(text).not.toContain("loghub_accesskey_secret");
    const inMeta = grayContentText("api-meta", { columns: ofApi, sealedSecret });
    expect(readGrayContent("api-meta", inMeta)).toBe(null);
  });

  it.each([
    "",
    "{",
    "[]",
    "null",
    "{}",
    '{"source":"a","surprise":1}',
    '{"source":"a","loghub_accesskey_secret":"s"}',
  ])("%j is no data source", (text) => expect(readGrayContent("data-source", text)).toBe(null));

  it.each([
    ["gray", "data-source", "data-source"],
    ["gray", "api-meta", "api-meta"],
    ["gray", "prod", null],
    ["shop", "data-source", null],
  ] as const)("%s/%s holds %s", (app, env, kind) => expect(grayKindOf({ app, env })).toBe(kind));
});
