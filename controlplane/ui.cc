#include "controlplane/ui.h"

#include <string>
#include <string_view>

#include "common/ops/server.h"

namespace krypton::controlplane {
namespace {

constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Krypton</title>
<link rel="stylesheet" href="/ui/style.css">
<header>
  <h1>Krypton</h1>
  <input id="search" type="search" placeholder="Search" aria-label="Search">
  <span id="state" role="status"></span>
</header>
<main>
  <section><h2>Agents</h2><table id="agents"><thead><tr>
    <th>Agent<th>Protocol<th>Mode<th>Phase<th>Ready<th>Wanted<th>Last call<th>State
  </tr></thead><tbody></tbody></table></section>
  <section><h2>Models</h2><table id="models"><thead><tr>
    <th>Model<th>Source<th>Mode<th>Phase<th>Ready<th>Wanted<th>State
  </tr></thead><tbody></tbody></table></section>
  <section id="problems" hidden><h2>Refused manifests</h2><ul></ul></section>
  <p id="why" hidden></p>
</main>
<footer><a href="/openapi.json">API</a></footer>
<script src="/ui/app.js"></script>
</html>
)html";

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 72rem; padding: 0 1rem 2rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0 1rem; }
section { overflow-x: auto; }
footer { margin-top: 2rem; }
#state { margin-left: auto; opacity: .7; }
table { border-collapse: collapse; width: 100%; }
th, td {
  text-align: left; vertical-align: top; white-space: nowrap;
  padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8884;
}
td:last-child { white-space: normal; min-width: 12rem; width: 40%; }
tbody tr { cursor: pointer; }
.none { cursor: default; opacity: .7; }
#why { border-left: 3px solid; padding-left: 1rem; }
)css";

// Everything that comes from the mesh is set as text, never as markup.
constexpr std::string_view kScript = R"js(
'use strict';
const byId = id => document.getElementById(id);
const ask = async path => {
  const answer = await fetch('/api/v1' + path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message);
  return body;
};
const word = (value, prefix) => (value ?? '').replace(prefix, '').toLowerCase().replaceAll('_', ' ');
const name = item => item.metadata.namespace + '/' + item.metadata.name;
const available = item => {
  const condition = item.status?.conditions.find(c => c.type === 'Available');
  return condition ? condition.reason + (condition.message ? ': ' + condition.message : '') : '';
};
const moment = time => time ? new Date(time).toLocaleString() : 'never';
const figures = item => [item.status?.readyReplicas ?? 0, item.status?.desiredReplicas ?? 0];

function fill(id, items, cells) {
  const rows = items.map(item => {
    const row = document.createElement('tr');
    for (const text of cells(item)) row.insertCell().textContent = text;
    row.onclick = () => explain(id, item);
    return row;
  });
  if (rows.length === 0) rows.push(none(byId(id).rows[0].cells.length));
  byId(id).tBodies[0].replaceChildren(...rows);
}

function none(columns) {
  const row = document.createElement('tr');
  row.className = 'none';
  const cell = row.insertCell();
  cell.colSpan = columns;
  cell.textContent = 'none';
  return row;
}

async function explain(kind, item) {
  const why = byId('why');
  why.hidden = false;
  try {
    const path = [item.metadata.namespace, item.metadata.name].map(encodeURIComponent).join('/');
    why.textContent = (await ask('/' + kind + '/' + path + ':explain')).summary;
  } catch (error) {
    why.textContent = error.message;
  }
}

async function refresh() {
  try {
    const query = '?page_size=100&q=' + encodeURIComponent(byId('search').value);
    const [agents, models, problems] = await Promise.all([
      ask('/agents' + query), ask('/models' + query), ask('/manifest-problems')]);
    fill('agents', agents.items, a => [
      name(a), word(a.spec.protocol, 'AGENT_PROTOCOL_'), word(a.spec.mode, 'SCALING_MODE_'),
      word(a.status?.phase, 'AGENT_PHASE_'), ...figures(a), moment(a.status?.lastInvocationAt),
      available(a)]);
    fill('models', models.items, m => [
      name(m), m.spec.source?.huggingface || m.spec.source?.path || '',
      word(m.spec.mode, 'SCALING_MODE_'), word(m.status?.phase, 'MODEL_PHASE_'), ...figures(m),
      available(m)]);
    byId('problems').hidden = problems.items.length === 0;
    byId('problems').querySelector('ul').replaceChildren(...problems.items.map(p => {
      const line = document.createElement('li');
      line.textContent = `${p.file} (document ${p.document}): ${p.field} ${p.reason}`;
      return line;
    }));
    byId('state').textContent = `${agents.total} agents, ${models.total} models`;
  } catch (error) {
    byId('state').textContent = error.message;
  }
  setTimeout(refresh, 2000);
}
refresh();
)js";

ops::Handler Serve(std::string content_type, std::string_view content) {
  return [content_type = std::move(content_type), content](const ops::Request&) {
    ops::Response response;
    response.content_type = content_type;
    response.headers = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", "no-cache"}};
    response.body = std::string(content);
    return response;
  };
}

}  // namespace

void AddUi(ops::Server& server) {
  for (const char* path : {"/", "/ui", "/ui/"}) {
    server.Handle("GET", path, Serve("text/html; charset=utf-8", kPage));
  }
  server.Handle("GET", "/ui/style.css", Serve("text/css; charset=utf-8", kStyle));
  server.Handle("GET", "/ui/app.js", Serve("text/javascript; charset=utf-8", kScript));
}

}  // namespace krypton::controlplane
