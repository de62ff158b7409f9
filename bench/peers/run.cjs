// What both drivers share: the program that is run, and the two measurements.
"use strict";
const { spawn } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [socket, program, starts, sustained, inFlight] = process.argv.slice(2);

// What the program printed: the monotonic time at which it began, in nanoseconds.
function runProgram() {
    return new Promise((resolve, reject) => {
        const child = spawn(program, [], { stdio: ["ignore", "pipe", "ignore"], env: {} });
        let line = "";
        child.stdout.on("data", (text) => (line += text));
        child.on("error", reject);
        child.on("close", (code) =>
            code === 0 ? resolve(line.trim()) : reject(new Error(`exit code ${code}`)));
    });
}

// `add()` queues one and resolves when it is queued; `ended()` resolves with its line.
async function measureStarts(add, ended) {
    const micros = [];
    for (let i = 0; i < starts; i++) {
        const line = ended();
        const begin = process.hrtime.bigint();
        await add();
        micros.push(Number(BigInt(await line) - begin) / 1000);
    }
    return micros;
}

// Of this process and of the programs that have ended: fields 14 to 17 of proc(5), ticks.
function cpuMs() {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
}

module.exports = {
    require: createRequire(process.cwd() + "/"),
    socket,
    starts: Number(starts),
    sustained: Number(sustained),
    inFlight: Number(inFlight),
    runProgram,
    measureStarts,
    cpuMs,
    giveUp: (...what) => {
        console.error(...what);
        process.exit(1);
    },
    print: (answer) => process.stdout.write(JSON.stringify(answer) + "\n"),
};
