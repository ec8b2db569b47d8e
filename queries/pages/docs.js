"use strict";
let api;

function element(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

const named = (reference) => reference.split("/").pop();
const resolve = (schema) =>
  schema?.$ref ? api.components.schemas[named(schema.$ref)] : schema ?? {};

// A shape in a word: `string or null`, `list of Order`.
function word(schema) {
  if (!schema) return "";
  if (schema.$ref) return named(schema.$ref);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map(word).join(" or ");
  if (schema.allOf) return schema.allOf.map(word).join(" and ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const kind = [schema.type ?? "any"].flat().join(" or ");
  return schema.items ? kind.replace("array", `list of ${word(schema.items)}`) : kind;
}

// Properties of an object and of what it is made of.
function properties(schema) {
  const whole = resolve(schema);
  return Object.assign({}, ...(whole.allOf ?? []).map(properties), whole.properties);
}

function example(schema, depth = 0) {
  const whole = resolve(schema);
  if (whole.example !== undefined) return whole.example;
  if (whole.enum) return whole.enum[0];
  const choices = whole.oneOf ?? whole.anyOf;
  if (choices) return example(choices.find((choice) => choice.type !== "null"), depth);
  const kind = [whole.type].flat().find((type) => type !== "null");
  if (kind === "array") return depth > 4 ? [] : [example(whole.items, depth + 1)];
  if (kind === "integer" || kind === "number") return whole.minimum ?? 1;
  if (kind === "boolean") return true;
  if (kind === "string") return "TEXT";
  if (depth > 4) return {};
  const fields = Object.entries(properties(whole));
  return Object.fromEntries(fields.map(([name, field]) => [name, example(field, depth + 1)]));
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(method, path, operation) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => name.toUpperCase());
  const parts = ["curl -i"];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  for (const parameter of operation.parameters ?? []) {
    if (parameter.in === "header" && parameter.required) {
      parts.push(`-H ${quoted(`${parameter.name}: ${parameter.name.toUpperCase()}`)}`);
    }
  }
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  if (body) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(example(body), null, 1))}`);
  parts.push(quoted(location.origin + filled));
  return parts.join(" \\\n  ");
}

// Words in backquotes are code.
const rich = (text) =>
  text.split("`").map((part, i) => (i % 2 ? element("code", part) : part));

// Names of shapes lead to them.
function linked(text) {
  return text.split(/(\w+)/).map((part) => {
    if (!Object.hasOwn(api.components.schemas, part)) return part;
    return Object.assign(element("a", part), { href: `#shape-${part}` });
  });
}

function paragraph(text) {
  const node = element("p");
  node.append(...rich(text));
  return node;
}

function table(headings, rows) {
  const node = element("table");
  const head = element("tr");
  head.append(...headings.map((text) => Object.assign(element("th", text), { scope: "col" })));
  const body = element("tbody");
  for (const cells of rows) {
    const line = element("tr");
    line.append(...cells.map((text, i) => {
      const box = element("td");
      const shown = { shape: linked, meaning: rich }[headings[i]];
      box.append(...(shown ? shown(text) : [i === 0 ? element("code", text) : text]));
      return box;
    }));
    body.append(line);
  }
  const top = element("thead");
  top.append(head);
  node.append(top, body);
  return node;
}

function operationDetails(method, path, operation) {
  const details = element("details");
  details.id = `${method.toUpperCase()}-${path}`;
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase(), "method"), element("code", path),
    element("span", ` ${operation.summary ?? ""}`, "soft"));
  details.append(summary);
  if (operation.description) details.append(paragraph(operation.description));
  if (operation.parameters?.length) {
    details.append(table(["parameter", "in", "shape", "meaning"], operation.parameters.map((p) =>
      [p.name, p.in, word(p.schema), p.description ?? ""])));
  }
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  if (body) {
    const line = element("p", "Body: ");
    line.append(...linked(word(body)));
    details.append(line);
  }
  details.append(table(["answer", "shape", "meaning"], Object.entries(operation.responses ?? {})
    .map(([status, answer]) => [status,
      word(Object.values(answer.content ?? {})[0]?.schema), answer.description ?? ""])));
  details.append(element("pre", curl(method, path, operation)));
  return details;
}

function shapeDetails(name, schema) {
  const details = element("details");
  details.id = `shape-${name}`;
  details.append(element("summary", name));
  if (schema.description) details.append(paragraph(schema.description));
  const fields = Object.entries(properties(schema));
  if (fields.length) {
    details.append(table(["field", "shape", "meaning"], fields.map(([field, shape]) =>
      [field, word(shape), shape.description ?? ""])));
  } else {
    details.append(element("p", word(schema)));
  }
  return details;
}

// Those who run the shop come last; what this does not name comes before them.
const GROUPS = ["warehouses", "products", "stock", "cart", "orders", "payments", "batch"];
const place = (tag) => (GROUPS.indexOf(tag) + GROUPS.length + 1) % (GROUPS.length + 1);

const METHODS = ["get", "put", "post", "delete", "patch"];

function render() {
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const tag = item[method].tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operationDetails(method, path, item[method]));
    }
  }
  const inOrder = [...groups].sort(([a], [b]) => place(a) - place(b));
  for (const [tag, operations] of inOrder) {
    const card = element("section", undefined, "card");
    card.append(element("h2", tag), ...operations);
    document.getElementById("operations").append(card);
  }
  const shapes = Object.entries(api.components?.schemas ?? {});
  document.getElementById("shapes").append(...shapes.map(([name, s]) => shapeDetails(name, s)));
  document.getElementById("intro").textContent =
    `Version ${api.info.version}. Times are UTC, money is in minor units with a currency beside it.`;
}

// `/docs#POST-/v1/checkouts` opens that operation, `/docs#shape-Order` that shape.
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named) return;
  named.open = true;
  named.scrollIntoView();
}
addEventListener("hashchange", openNamed);

fetch("/openapi.json")
  .then((answer) => answer.json())
  .then((json) => { api = json; render(); openNamed(); })
  .catch((error) => {
    document.getElementById("intro").textContent = `The description could not be read: ${error.message}`;
  });
