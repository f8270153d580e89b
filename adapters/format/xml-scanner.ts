import { CONTENT_DEPTH_MAX } from "../../contracts/limits.ts";

/** Elements within elements: half of what other formats may nest, since a repeated element is a list of its own. */
export const XML_DEPTH_MAX = CONTENT_DEPTH_MAX / 2;
/** Elements and attributes of one document: each costs hundreds of bytes, and a Worker has 128 MB. */
export const XML_NODES_MAX = 200_000;

export interface XmlAttribute {
  name: string;
  value: string;
  offset: number;
}
export interface XmlElement {
  name: string;
  /** Where its tag begins. */
  offset: number;
  attributes: XmlAttribute[];
  children: XmlElement[];
  /** All its own text, references resolved, comments left out. */
  text: string;
}

export class XmlFault extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const NAME_START =
  ":A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}\\u{200D}" +
  "\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}";
const NAME = new RegExp(
  `[${NAME_START}][${NAME_START}\\-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}\\u{2040}]*`,
  "uy",
);
const SPACE = /[ \t\r\n]*/y;
// oxlint-disable-next-line no-control-regex -- what XML 1.0 allows in no place
const NO_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const DECLARATION =
  /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.[0-9]+\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][\w.-]*)\2)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\4)?[ \t\r\n]*\?>/y;
const DOCTYPE_PART = /[ \t\r\n]+(?:PUBLIC|SYSTEM|"[^"<]*"|'[^'<]*')/y;
const REFERENCE = /&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));/g;
const PREDEFINED: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/**
 * Reads an XML 1.0 document (well-formedness without a DTD) into a tree. There is no code for entities: an internal
 * subset is refused, an external one never looked at, and a reference to anything but the five names and characters
 * that XML itself defines is a fault. One pass, no recursion.
 */
export class XmlScanner {
  readonly #text: string;
  #at = 0;
  #nodes = 0;
  readonly #open: XmlElement[] = [];
  #root: XmlElement | null = null;
  #hasDoctype = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** The root element. Throws `XmlFault`. */
  read(): XmlElement {
    const bad = NO_CHARACTER.exec(this.#text);
    if (bad !== null) throw new XmlFault("a character that XML does not allow", bad.index);
    this.#declaration();
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] !== "<") this.#characters();
      else if (this.#starts("<!--")) this.#comment();
      else if (this.#starts("<?")) this.#instruction();
      else if (this.#starts("<![CDATA[")) this.#cdata();
      else if (this.#starts("<!DOCTYPE")) this.#doctype();
      else if (this.#starts("</")) this.#closeTag();
      else this.#openTag();
    }
    const open = this.#open.at(-1);
    if (open !== undefined) throw new XmlFault(`<${open.name}> is not closed`, open.offset);
    if (this.#root === null) this.#fail("the document ends where an element is expected");
    return this.#root;
  }

  #starts(mark: string): boolean {
    return this.#text.startsWith(mark, this.#at);
  }

  #fail(message: string, offset = this.#at): never {
    throw new XmlFault(message, offset);
  }

  /** What an expression that is sticky matches here, null when it does not; moves behind it. */
  #take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text);
    if (found !== null) this.#at = expression.lastIndex;
    return found;
  }

  /** Everything up to a mark; moves behind the mark. */
  #until(mark: string, what: string): string {
    const end = this.#text.indexOf(mark, this.#at);
    if (end === -1) this.#fail(`${what} is not closed`);
    const inside = this.#text.slice(this.#at, end);
    this.#at = end + mark.length;
    return inside;
  }

  #name(what: string): string {
    return this.#take(NAME)?.[0] ?? this.#fail(`${what} is expected`);
  }

  #declaration(): void {
    if (!/^<\?xml[ \t\r\n]/.test(this.#text.slice(0, 6))) return;
    const found = this.#take(DECLARATION);
    if (found === null) this.#fail("the XML declaration is malformed");
    const encoding = found[3]?.toLowerCase() ?? "utf-8";
    if (encoding !== "utf-8" && encoding !== "us-ascii") {
      this.#fail("the bytes must be UTF-8, and the declaration must say so or nothing", 0);
    }
  }

  #comment(): void {
    const start = this.#at;
    this.#at += 4;
    const inside = this.#until("--", "the comment");
    if (this.#text[this.#at] !== ">")
      this.#fail('"--" is not allowed in a comment', start + 4 + inside.length);
    this.#at++;
  }

  #instruction(): void {
    const start = this.#at;
    this.#at += 2;
    const target = this.#name("the name of a processing instruction");
    if (target.toLowerCase() === "xml")
      this.#fail("the XML declaration stands only at the very start", start);
    if (!this.#starts("?>") && !/[ \t\r\n]/.test(this.#text[this.#at] ?? ""))
      this.#fail("white space is expected");
    this.#until("?>", "the processing instruction");
  }

  #cdata(): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#fail("CDATA outside of the root element");
    this.#at += 9;
    parent.text += lineEnds(this.#until("]]>", "the CDATA section"));
  }

  /** A document type without declarations of its own; what it points to is not read. */
  #doctype(): void {
    const start = this.#at;
    if (this.#root !== null || this.#hasDoctype) {
      this.#fail("a document type stands once, before the root element", start);
    }
    this.#hasDoctype = true;
    this.#at += 9;
    if (this.#take(/[ \t\r\n]+/y) === null) this.#fail("white space is expected");
    this.#name("the name of the document type");
    while (this.#take(DOCTYPE_PART) !== null);
    this.#take(SPACE);
    if (this.#text[this.#at] === "[")
      this.#fail("declarations in a document type (entities too) are not allowed");
    if (this.#text[this.#at] !== ">") this.#fail('the document type must end with ">"');
    this.#at++;
  }

  #characters(): void {
    const start = this.#at;
    const next = this.#text.indexOf("<", start);
    this.#at = next === -1 ? this.#text.length : next;
    const raw = this.#text.slice(start, this.#at);
    const parent = this.#open.at(-1);
    if (parent === undefined) {
      const stray = /[^ \t\r\n]/.exec(raw);
      if (stray !== null) this.#fail("text outside of the root element", start + stray.index);
      return;
    }
    const end = raw.indexOf("]]>");
    if (end !== -1) this.#fail('"]]>" is not allowed in text', start + end);
    parent.text += resolveReferences(lineEnds(raw), raw, start);
  }

  #closeTag(): void {
    const start = this.#at;
    this.#at += 2;
    const name = this.#name("the name of an element");
    this.#take(SPACE);
    const open = this.#open.pop();
    if (open === undefined) this.#fail(`</${name}> closes nothing`, start);
    if (open.name !== name) this.#fail(`</${name}> stands where </${open.name}> is expected`, start);
    if (this.#text[this.#at] !== ">") this.#fail('">" is expected');
    this.#at++;
  }

  #openTag(): void {
    const offset = this.#at;
    this.#at++;
    const name = this.#name("the name of an element");
    const parent = this.#open.at(-1);
    if (parent === undefined && this.#root !== null) this.#fail("a second root element", offset);
    if (this.#open.length >= XML_DEPTH_MAX)
      this.#fail(`nested deeper than ${XML_DEPTH_MAX} elements`, offset);
    const element: XmlElement = { name, offset, attributes: this.#attributes(), children: [], text: "" };
    this.#nodes += 1 + element.attributes.length;
    if (this.#nodes > XML_NODES_MAX) this.#fail(`more than ${XML_NODES_MAX} elements and attributes`, offset);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
    if (this.#starts("/>")) this.#at += 2;
    else if (this.#text[this.#at] === ">") {
      this.#at++;
      this.#open.push(element);
    } else this.#fail('an attribute, ">" or "/>" is expected');
  }

  #attributes(): XmlAttribute[] {
    const attributes: XmlAttribute[] = [];
    const seen = new Set<string>();
    for (;;) {
      const isApart = this.#take(SPACE)?.[0] !== "";
      const offset = this.#at;
      const name = this.#take(NAME)?.[0];
      if (name === undefined) return attributes;
      if (!isApart) this.#fail("white space is expected before an attribute", offset);
      if (seen.has(name)) this.#fail(`the attribute ${JSON.stringify(name)} stands twice`, offset);
      if (seen.size >= XML_NODES_MAX)
        this.#fail(`more than ${XML_NODES_MAX} elements and attributes`, offset);
      seen.add(name);
      attributes.push({ name, value: this.#attributeValue(), offset });
    }
  }

  #attributeValue(): string {
    this.#take(SPACE);
    if (this.#text[this.#at] !== "=") this.#fail('"=" is expected');
    this.#at++;
    this.#take(SPACE);
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") this.#fail("a value in quotes is expected");
    const start = ++this.#at;
    const raw = this.#until(quote, "the value of an attribute");
    const bracket = raw.indexOf("<");
    if (bracket !== -1) this.#fail('"<" is not allowed in an attribute', start + bracket);
    return resolveReferences(lineEnds(raw).replaceAll(/[\t\n]/g, " "), raw, start);
  }
}

function lineEnds(text: string): string {
  return text.includes("\r") ? text.replaceAll(/\r\n?/g, "\n") : text;
}

/** `raw` is the text as it stands in the document, at `start`: for the place of a fault. */
function resolveReferences(text: string, raw: string, start: number): string {
  if (!text.includes("&")) return text;
  const fault = /&(?!(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)/.exec(raw);
  if (fault !== null) {
    throw new XmlFault(
      '"&" must begin one of &lt; &gt; &amp; &quot; &apos; or a character reference; no other entities are known',
      start + fault.index,
    );
  }
  return text.replaceAll(REFERENCE, (_, name: string | undefined, decimal?: string, hex?: string) => {
    if (name !== undefined) return PREDEFINED[name] ?? "";
    const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    const isCharacter =
      code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) && !NO_CHARACTER.test(String.fromCodePoint(code));
    if (isCharacter) return String.fromCodePoint(code);
    throw new XmlFault("a reference to a character that XML does not allow", start + raw.search(/&#/));
  });
}
