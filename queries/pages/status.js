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

// A partition whose end the log does not tell makes its topic's end unknown; a process that decides
// nothing does not know what is applied.
function byTopic(log) {
  const topics = new Map();
  for (const [name, { end, applied }] of Object.entries(log)) {
    const topic = name.slice(0, name.lastIndexOf("/"));
    const sum = topics.get(topic) ?? { end: 0, applied: 0 };
    sum.end = end === null || sum.end === null ? null : sum.end + end;
    sum.applied = applied === null || sum.applied === null ? null : sum.applied + applied;
    topics.set(topic, sum);
  }
  return topics;
}

const known = (number) => (number === null ? "unknown" : count.format(number));
const number = (n) => cell("td", known(n), "number");
const span = (ms) => (ms < 10000 ? `${count.format(ms)} ms` : `${count.format(Math.round(ms / 1000))} s`);

// The words of docs/guarantees for those who run a shop.
const RULES = {
  I1: "Stock adds up",
  I2: "No stock is below zero",
  I5: "No reservation lapses early",
  I6: "An order holds what it says, and nothing once it ended",
  I8: "No order goes back",
  I13: "Versions, epochs and time never go back",
  I16: "The same log gives the same decisions",
  I17: "Work goes on while there is work",
};

function figures(status) {
  const topics = byTopic(status.log);
  const all = [...topics.values()];
  const unknown = all.some(({ end, applied }) => end === null || applied === null);
  const behind = all.reduce((sum, { end, applied }) => sum + Math.max(0, end - applied), 0);
  for (const { name, rows } of status.views) if (document.getElementById(name)) show(name, known(rows));
  show("behind", known(unknown ? null : behind));
  show("lag", status.views.length > 0 ? span(Math.max(...status.views.map((view) => view.lag_ms))) : "no views here");
  show("dead_letters", known(status.dead_letters));
  at("dead_letters").className = status.dead_letters > 0 ? "bad" : "";
  show("epoch", known(status.epoch));
  show("age", status.epoch_age_ms === null ? "never" : `${span(status.epoch_age_ms)} ago`);
  show("now", status.now === null ? "unknown" : status.now.replace("T", " ").replace("Z", ""));
  show("version", status.version);
  show("generation", known(status.generation));
  show("workers", `${known(status.workers)} ${status.workers === 1 ? "worker" : "workers"}`);
  return topics;
}

function render(status) {
  const topics = figures(status);
  const invariants = Object.entries(status.invariants)
    .sort(([a], [b]) => a.slice(1) - b.slice(1));
  fill("invariants", invariants.map(([id, { checked, breaches }]) => [
    cell("th", `${id}  ${RULES[id] ?? ""}`), number(checked),
    cell("td", count.format(breaches), `number ${breaches > 0 ? "bad" : checked > 0 ? "good" : "soft"}`),
  ]), "nothing checked");
  fill("views", status.views.map((view) => [
    cell("th", view.name.replaceAll("_", " ")), number(view.rows), number(view.epoch),
    cell("td", span(view.lag_ms), "number"),
  ]), "no views");
  fill("log", [...topics].map(([topic, { end, applied }]) => [
    cell("th", topic), number(end), number(applied),
  ]), "no topics");
  return invariants.filter(([, { breaches }]) => breaches > 0).map(([id]) => id);
}

// Only a change is announced to those who listen to the page.
function say(text, kind) {
  if (at("state").textContent === text) return;
  show("state", text);
  at("state").className = `state ${kind}`;
  document.title = kind === "good" ? "Watermart" : `! ${text} - Watermart`;
}

async function refresh() {
  try {
    const [status, ready] = await Promise.all([fetch("/v1/status"), fetch("/readyz")]);
    if (!status.ok) throw new Error(`status answers ${status.status}`);
    const broken = render(await status.json());
    document.body.classList.remove("stale");
    const alarm = broken.length > 0 ? `Alarm: ${broken.join(", ")} broken, the server's log says where` : "";
    const answer = await ready.json();
    const closed = ready.ok ? "" : `Not ready: ${answer.detail}`;
    const wrong = [closed, alarm].filter((text) => text).join(". ");
    const open = answer.status === "standing by" ? "Standing by: another process decides" : "Open: this process does its part";
    say(wrong || open, wrong ? "bad" : "good");
  } catch (error) {
    document.body.classList.add("stale");
    say(`No answer, figures are old: ${error.message}`, "bad");
  }
  setTimeout(refresh, 1000);
}
refresh();
