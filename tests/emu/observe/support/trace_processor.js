// Perfetto's trace processor, as Perfetto's page runs it in a web worker, behind a pipe: requests
// of its RPC protocol on stdin, the replies on stdout. Usage: node trace_processor.js FOLDER
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const folder = process.argv[2];
const stdin = process.stdin;
const read = (name) => fs.readFileSync(path.join(folder, path.basename(name)));

globalThis.XMLHttpRequest = class {
  open(_method, url) {
    this.response = Uint8Array.from(read(url)).buffer;
  }
  send() {}
};
globalThis.WorkerGlobalScope = class {};
globalThis.location = { href: "http://localhost/" };
globalThis.self = globalThis;
console.log = console.warn = () => {}; // stdout is for replies
delete globalThis.process; // the bundle does not run where it finds Node's

vm.runInThisContext(read("engine_bundle.js").toString(), "engine_bundle.js");
const port = {
  postMessage(reply) {
    for (let at = 0; at < reply.length; ) at += fs.writeSync(1, reply, at);
  },
};
globalThis.onmessage({ data: port });
setTimeout(() => stdin.on("data", (data) => port.onmessage({ data })));
