// What the whole berthd does under load, through its socket: how many triggers it takes in,
// and how it starts with very much waiting.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bench/bench.h"

namespace berth::bench {

// Accepted and durable triggers, in turns.
struct Intake {
    double many = 0;       // a second, of `clients` keep-alive connections
    double one = 0;        // of one connection
    double store = 0;      // of the store's own code, one commit each, without a socket
    double reference = 0;  // of 4 KiB written and synced, one after the other
    Samples many_waits, one_waits;
};
Intake measure_intake(int clients, int rounds, int total);

// `berthd --all` on a store with so many schedules, waiting triggers and tenants.
struct Start {
    double ready_ms = 0;                         // until runs can start
    double first_run_ms = 0;                     // until the first of what waited was executed
    std::map<std::string, double> resident_mib;  // by program, then
};
Start measure_start(std::int64_t tenants);

}  // namespace berth::bench
