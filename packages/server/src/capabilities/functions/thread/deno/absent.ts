const noFiles = "Functions write no files: keep data in the database or in storage (`ctx.storage`).";
const noProcess = "Functions start no processes: call a service with `fetch`, or do it in a job elsewhere.";
const noServer = "Functions open no ports: answer requests with `Deno.serve` or `export default`.";
const noSockets = "Use `fetch`, or a package for Node that does the same: `npm:postgres`, `npm:ioredis`.";
const noKv = "Keep it in a table of the database.";
const noSignals = "There are no signals here; `ctx.signal` tells when to stop.";

/**
 * What code for Deno may use and this runtime has not, and what to do instead. Each is a function that throws; files that have one are
 * told of at start.
 */
export const absent: Readonly<Record<string, string>> = {
  "Deno.Command": noProcess,
  "Deno.run": noProcess,
  "Deno.spawnChild": noProcess,
  "Deno.kill": noProcess,
  "Deno.dlopen": "Functions load no native code.",
  "Deno.UnsafePointer": "Functions load no native code.",
  "Deno.listen": noServer,
  "Deno.listenTls": noServer,
  "Deno.listenDatagram": noServer,
  "Deno.serveHttp": noServer,
  "Deno.upgradeWebSocket": "Functions hold no websockets: use realtime, or stream an answer (`text/event-stream`).",
  "Deno.connect": noSockets,
  "Deno.connectTls": noSockets,
  "Deno.startTls": noSockets,
  "Deno.createHttpClient": "Use `fetch` as it is: certificates and proxies are the server's to set.",
  "Deno.openKv": noKv,
  "Deno.cron": 'Use `cron("0 8 * * *", handler)` of @mainstay/functions.',
  "Deno.create": noFiles,
  "Deno.createSync": noFiles,
  "Deno.open": noFiles,
  "Deno.openSync": noFiles,
  "Deno.writeFile": noFiles,
  "Deno.writeFileSync": noFiles,
  "Deno.writeTextFile": noFiles,
  "Deno.writeTextFileSync": noFiles,
  "Deno.mkdir": noFiles,
  "Deno.mkdirSync": noFiles,
  "Deno.makeTempDir": noFiles,
  "Deno.makeTempDirSync": noFiles,
  "Deno.makeTempFile": noFiles,
  "Deno.makeTempFileSync": noFiles,
  "Deno.remove": noFiles,
  "Deno.removeSync": noFiles,
  "Deno.rename": noFiles,
  "Deno.renameSync": noFiles,
  "Deno.copyFile": noFiles,
  "Deno.copyFileSync": noFiles,
  "Deno.symlink": noFiles,
  "Deno.symlinkSync": noFiles,
  "Deno.truncate": noFiles,
  "Deno.chmod": noFiles,
  "Deno.chown": noFiles,
  "Deno.chdir": noFiles,
  "Deno.watchFs": noFiles,
  "Deno.addSignalListener": noSignals,
  "Deno.removeSignalListener": noSignals,
  "Deno.test": "Tests are not run here.",
  "Deno.bench": "Benchmarks are not run here.",
  "Supabase.ai": "There is no model in this server: call one with `fetch`.",
  "EdgeRuntime.userWorkers": noProcess,
};
