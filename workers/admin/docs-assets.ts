/** The page at /docs. It reads /openapi.json and lists the operations; everything it shows is put in as text. */
export const DOCS_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Conflux admin API</title>
<link rel="stylesheet" href="/docs/docs.css">
</head>
<body>
<header>
<h1>Conflux admin API</h1>
<p id="about">Reading <a href="/openapi.json">openapi.json</a> &hellip;</p>
<label>Filter <input id="filter" type="search" autocomplete="off"></label>
</header>
<main id="operations"></main>
<script src="/docs/docs.js" type="module"></script>
</body>
</html>
`;

export const DOCS_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { text-transform: capitalize; margin: 2rem 0 .5rem; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; text-transform: uppercase; }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem; }
pre { overflow: auto; background: #8881; padding: .6rem; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; }
.quiet { opacity: .75; }
`;

export const DOCS_SCRIPT = `const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function table(heads, rows) {
  return element("table", {},
    element("tr", {}, ...heads.map((head) => element("th", { textContent: head }))),
    ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", { textContent: cell })))));
}

function showSchemas(content) {
  return Object.entries(content ?? {}).flatMap(([type, media]) => [
    element("p", {}, element("code", { textContent: type })),
    element("pre", { textContent: JSON.stringify(media.schema ?? {}, null, 2) }),
  ]);
}

function showOperation(method, path, operation) {
  const access = operation["x-conflux-access"] ?? {};
  const who = access.public ? "anyone"
    : access.authenticated ? "any signed-in user"
    : access.action + " on " + access.resource + (access.or ? " or " + access.or : "") + (access.also ? "; also " + access.also : "");
  const node = element("details", {},
    element("summary", {},
      element("span", { className: "method", textContent: method }),
      element("code", { textContent: path }),
      element("span", { className: "quiet", textContent: " " + (operation.summary ?? "") })),
    element("p", { textContent: operation.description ?? "" }),
    element("p", { className: "quiet", textContent: "Permission: " + who }));
  const parameters = operation.parameters ?? [];
  if (parameters.length > 0) {
    node.append(table(["parameter", "in", "type", ""], parameters.map((p) => [
      p.name + (p.required ? " *" : ""), p.in, JSON.stringify(p.schema?.type ?? p.schema?.enum ?? ""), p.description ?? "",
    ])));
  }
  if (operation.requestBody) node.append(element("h4", { textContent: "Body" }), ...showSchemas(operation.requestBody.content));
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    node.append(element("h4", { textContent: status + " " + (response.description ?? "") }));
    if (status.startsWith("2")) node.append(...showSchemas(response.content));
  }
  node.dataset.text = (method + " " + path + " " + (operation.summary ?? "")).toLowerCase();
  return node;
}

function show(api) {
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS) {
      if (!item[method]) continue;
      const tag = item[method].tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, element("section", {}, element("h2", { textContent: tag })));
      groups.get(tag).append(showOperation(method, path, item[method]));
    }
  }
  const schemas = element("section", {}, element("h2", { textContent: "schemas" }));
  for (const [name, schema] of Object.entries(api.components?.schemas ?? {})) {
    schemas.append(element("details", {}, element("summary", { textContent: name }),
      element("pre", { textContent: JSON.stringify(schema, null, 2) })));
  }
  document.getElementById("operations").replaceChildren(...groups.values(), schemas);
}

async function main() {
  const about = document.getElementById("about");
  const response = await fetch("/openapi.json");
  if (!response.ok) {
    about.textContent = "openapi.json answered " + response.status;
    return;
  }
  const api = await response.json();
  about.textContent = api.info.description;
  show(api);
  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const node of document.querySelectorAll("details[data-text]")) node.hidden = !node.dataset.text.includes(wanted);
  });
}

await main();
`;
