// BullMQ on a Redis whose socket is given. The line is kept as the job's return value.
"use strict";
const bench = require("./run.cjs");
const { Queue, Worker } = bench.require("bullmq");

const connection = { path: bench.socket, maxRetriesPerRequest: null };
const waiting = [];
let left = 0;
let allEnded = () => {};

function work(name, concurrency) {
    const worker = new Worker(name, () => bench.runProgram(),
        { connection, concurrency, autorun: false });
    worker.on("completed", (job, line) => {
        waiting.shift()?.(line);
        if (--left === 0) allEnded();
    });
    worker.on("failed", bench.giveUp);
    worker.on("error", bench.giveUp);
    return worker;
}

async function main() {
    const queue = new Queue("starts", { connection });
    const one = work("starts", 1);
    one.run();
    await one.waitUntilReady();
    const add = () => queue.add("run", {});
    const ended = () => new Promise((resolve) => waiting.push(resolve));
    const micros = await bench.measureStarts(add, ended);
    await one.close();

    const many = new Queue("many", { connection });
    await many.addBulk(Array.from({ length: bench.sustained }, () => ({ name: "run", data: {} })));
    const before = bench.cpuMs();
    left = bench.sustained;
    const done = new Promise((resolve) => (allEnded = resolve));
    const worker = work("many", bench.inFlight);
    const begin = process.hrtime.bigint();
    worker.run();
    await done;
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
    bench.print({ first_byte_us: micros, per_second: bench.sustained / seconds,
        cpu_ms: bench.cpuMs() - before });
    process.exit(0);
}

main().catch(bench.giveUp);
