// graphile-worker on a PostgreSQL whose socket folder is given. It deletes what has ended,
// so the line is kept in a table of its own.
"use strict";
const bench = require("./run.cjs");
const { run, makeWorkerUtils, Logger } = bench.require("graphile-worker");

const connectionString = `postgresql:///postgres?host=${bench.socket}&user=postgres`;
const logger = new Logger(() => () => {});
const waiting = [];
let left = 0;
let allEnded = () => {};

function work(concurrency) {
    return run({
        connectionString, concurrency, logger, noHandleSignals: true, pollInterval: 1000,
        taskList: {
            bench: async (payload, helpers) => {
                const line = await bench.runProgram();
                await helpers.query("insert into runs (line) values ($1)", [line]);
                waiting.shift()?.(line);
                if (--left === 0) allEnded();
            },
        },
    });
}

async function main() {
    const utils = await makeWorkerUtils({ connectionString, logger });
    await utils.migrate();
    await utils.withPgClient((pg) =>
        pg.query("create table if not exists runs (id bigserial primary key, line text)"));
    const add = () => utils.addJob("bench", {});
    const ended = () => new Promise((resolve) => waiting.push(resolve));
    const one = await work(1);
    const micros = await bench.measureStarts(add, ended);
    await one.stop();

    await utils.addJobs(Array.from({ length: bench.sustained },
        () => ({ identifier: "bench", payload: {} })));
    const before = bench.cpuMs();
    left = bench.sustained;
    const done = new Promise((resolve) => (allEnded = resolve));
    const begin = process.hrtime.bigint();
    await work(bench.inFlight);
    await done;
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    bench.print({ first_byte_us: micros, per_second: bench.sustained / seconds,
        cpu_ms: bench.cpuMs() - before });
    process.exit(0);
}

main().catch(bench.giveUp);
