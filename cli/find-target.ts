import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";
import { systemWords } from "./system-words.ts";

/** What a header carries of a token. */
const VISIBLE = /^[!-~]*$/;

/** Where the admin API is, and as whom to call it. */
export interface Target {
  /** Without the API's prefix and without a slash at the end. */
  url: string;
  token: string;
}

/**
 * Address and token: each from its flag, else from `CONFLUX_ADMIN_URL` and `CONFLUX_TOKEN`, else from the local stack's
 * `dev.json` (in `CONFLUX_DATA_DIR`, or `.conflux`). Throws a `CliError` (usage) when one cannot be found.
 */
export function findTarget(io: CliIo, flags: { url?: string; token?: string }): Target {
  // A variable that is set to nothing says nothing.
  const url = flags.url ?? (io.env["CONFLUX_ADMIN_URL"] || undefined);
  const token = checkToken(flags.token ?? (io.env["CONFLUX_TOKEN"]?.trim() || undefined));
  if (url !== undefined && token !== undefined) return { url: checkUrl(url), token };
  // A token of the local stack is not for another address.
  if (url !== undefined) throw new CliError(EXIT.usage, "no token: give --token or CONFLUX_TOKEN");
  const local = readDevJson(io);
  if (local === null) {
    throw new CliError(
      EXIT.usage,
      "no address: give --url or CONFLUX_ADMIN_URL, or run this where `npm start` keeps its data",
    );
  }
  return { url: local.url, token: token ?? local.token };
}

function readDevJson(io: CliIo): Target | null {
  const path = join(resolve(io.cwd, io.env["CONFLUX_DATA_DIR"] || ".conflux"), "dev.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new CliError(EXIT.usage, `${path} cannot be read: ${systemWords(cause)}`, { cause });
  }
  const { admin_url, admin_token } = parseDevJson(path, text);
  if (admin_url === undefined || admin_token === undefined) return null;
  return { url: checkUrl(admin_url), token: admin_token };
}

function parseDevJson(path: string, text: string): { admin_url?: string; admin_token?: string } {
  try {
    return JSON.parse(text) as { admin_url?: string; admin_token?: string };
  } catch (cause) {
    // The parser's words would quote a token.
    throw new CliError(EXIT.usage, `${path} is no JSON: the next \`npm start\` writes it anew`, { cause });
  }
}

/** A blank at an end is none of the token's; any other is refused here, since what says no later would print it. */
function checkToken(text: string | undefined): string | undefined {
  const token = text?.trim();
  if (token === undefined || VISIBLE.test(token)) return token;
  throw new CliError(
    EXIT.refused,
    "the token has characters that no header carries (a line break, a blank, a letter beyond ASCII)",
  );
}

/** The URL as it is, or as `npm start` prints it, which ends with the API's prefix. */
function checkUrl(text: string): string {
  if (!VISIBLE.test(text)) {
    throw new CliError(EXIT.refused, "the address has a line break, a blank or a letter beyond ASCII in it");
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && url.username + url.password !== "") {
    throw new CliError(EXIT.refused, "the address has a user or a password in it: the token says who asks");
  }
  if (url !== null && ["http:", "https:"].includes(url.protocol)) {
    return text
      .replace(/\/+$/, "")
      .replace(/\/+api\/v1$/, "")
      .replace(/\/+$/, "");
  }
  throw new CliError(EXIT.usage, `"${text}" is no address like http://localhost:8788`);
}
