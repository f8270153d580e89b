import { describe, expect, it } from "vitest";
import { findBeyondToml10 } from "./toml-strict.ts";

describe("C2 what TOML 1.1 has and 1.0 has not is refused where it stands", () => {
  it.each([
    ["a day that February has not", "d = 2023-02-29", 1, 5],
    ["a day that a century's February has not", "[t]\nd = [2000-02-29, 2100-02-29T00:00:00Z]", 2, 18],
    ["the thirty-first of a short month", "d = 2023-04-31 10:00:00", 1, 5],
    ["a time without seconds", "t = 17:45", 1, 5],
    ["a date and a time without seconds", "t = {d = 1987-07-05 17:45Z}", 1, 10],
    ["an offset behind a time without seconds", "t = 1987-07-05t17:45+01:00", 1, 5],
    ["a line end in an inline table", "t = {\n a = 1}", 1, 6],
    ["a comment in an inline table", "t = {a = [1, # x\n 2], # y\n b = 1}", 2, 9],
    ["a comma at the end of an inline table", "t = {a = 1, }", 1, 13],
    ["an escape of 1.1", 'a = "\\\\e \\e"', 1, 10],
    ["an escape of 1.1 in a key", '["\\x41"]', 1, 3],
    ["an escape of 1.1 in several lines", 'a = """\n\\e"""', 2, 1],
    ["a second byte order mark", "\uFEFFa = 1", 1, 1],
  ])("%s", (_name, text, line, column) => {
    expect(findBeyondToml10(text)).toMatchObject({ line, column });
  });

  it.each([
    ["days that there are", "a = 2024-02-29\nb = 2000-02-29T23:59:60Z\nc = 1979-05-27 07:32:00.5-07:00 # x"],
    [
      "keys that look like dates and times",
      "2023-02-30 = 1\n2023-02-30.x = 2\n[2023-04-31]\n[[a.2023-02-30]]\nt = {2023-02-30 = 1}",
    ],
    [
      "strings that look like what is refused",
      "a = '\\e 2023-02-30'\nb = \"\\\\e }, { # \"\nc = '''\n, }\n'''",
    ],
    ["several lines inside of what stands in one", 't = {a = [\n1, # x\n2,\n], b = """\n"""}'],
    ["quotes before those that close", 'a = """""x"""""'],
    ["a comma at the end of an array", "a = [1, [2, {b = 3},],]\n[b]"],
    ["CRLF", "[a]\r\nb = 1\r\n[[c]]\r\nd = {}"],
  ])("takes %s", (_name, text) => {
    expect(findBeyondToml10(text)).toBeNull();
  });
});
