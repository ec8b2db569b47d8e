"use strict";
const count = new Intl.NumberFormat("en");
const at = (id) => document.getElementById(id);
const show = (id, text) => { at(id).textContent = text; };

function cell(tag, text, kind) {
  const node = document.createElement(tag);
  node.textContent = text;
  if (tag === "th") node.scope = "row";
  if (kind) node.className = kind;
  return node;
}

function fill(id, rows, empty) {
  const lines = rows.map((cells) => {
    const line = document.createElement("tr");
    line.append(...cells);
    return line;
  });
  if (lines.length === 0) {
    const line = document.createElement("tr");
    const only = cell("td", empty, "soft");
    only.colSpan = 9;
    line.append(only);
    lines.push(line);
  }
  at(id).replaceChildren(...lines);
}

// A partition whose end the log does not tell makes its topic's end unknown.
function byTopic(log) {
  const topics = new Map();
  for (const [name, { end, applied }] of Object.entries(log)) {
    const topic = name.slice(0, name.lastIndexOf("/"));
    const sum = topics.get(topic) ?? { end: 0, applied: 0 };
    sum.end = end === null || sum.end === null ? null : sum.end + end;
    sum.applied += applied;
    topics.set(topic, sum);
  }
  return topics;
}

const known = (number) => (number === null ? "unknown" : count.format(number));
const number = (n) => cell("td", known(n), "number");

function render(status) {
  const topics = byTopic(status.log);
  const all = [...topics.values()];
  const unknown = all.some(({ end }) => end === null);
  const total = unknown ? null : all.reduce((sum, { end }) => sum + end, 0);
  const applied = all.reduce((sum, topic) => sum + topic.applied, 0);
  for (const id of ["epoch", "workers", "generation", "dead_letters"]) show(id, known(status[id]));
  at("dead_letters").className = status.dead_letters > 0 ? "bad" : "";
  show("now", status.now.replace("T", " ").replace("Z", ""));
  show("records", known(total));
  show("behind", known(total === null ? null : Math.max(0, total - applied)));
  show("version", status.version);
  fill("views", status.views.map((view) => [
    cell("th", view.name.replaceAll("_", " ")), number(view.rows), number(view.epoch),
    cell("td", `${count.format(view.lag_ms)} ms`, "number"),
  ]), "no views");
  fill("invariants", Object.entries(status.invariants).map(([id, { checked, breaches }]) => [
    cell("th", id), number(checked),
    cell("td", count.format(breaches), breaches > 0 ? "number bad" : "number good"),
  ]), "none checked yet");
  fill("log", [...topics].map(([topic, { end, applied }]) => [
    cell("th", topic), number(end), number(applied),
  ]), "no topics");
}

// Only a change is announced to those who listen to the page.
function say(text, kind) {
  if (at("state").textContent === text) return;
  show("state", text);
  at("state").className = kind;
}

async function refresh() {
  try {
    const [status, ready] = await Promise.all([fetch("/v1/status"), fetch("/readyz")]);
    if (!status.ok) throw new Error(`status answers ${status.status}`);
    render(await status.json());
    if (ready.ok) say("open", "good");
    else say(`not ready: ${(await ready.json()).detail}`, "bad");
  } catch (error) {
    say(`no answer: ${error.message}`, "bad");
  }
  setTimeout(refresh, 1000);
}
refresh();
