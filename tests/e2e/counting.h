// Scripts that print numbered lines, and the check that none is lost: for what is to
// survive the restarts of daemons.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/daemon_fixture.h"

namespace berth::test {

// Prints numbered lines on stderr, `lines` of about 100 bytes each `pause` seconds, until
// `go` is in its folder; then says on stdout how many.
std::string counting_script(int lines = 1, const std::string& pause = "0.01");

struct Script {
    std::string trigger;
    std::int64_t run = 0;
};

// Starts a run of the tenant and waits until its script runs.
Script start_script(Daemon& daemon, std::int64_t tenant);
// What it printed on stderr until now, without the last newline.
std::vector<std::string> lines_of(Daemon& daemon, std::int64_t run);
// Waits for more of its output: it is alive, and somebody stores what it prints.
void wait_for_more(Daemon& daemon, std::int64_t run);
// Lets every script that counts come to its end.
void let_go(Daemon& daemon);

// Waits for its end and checks that it was run once and to its end, and that its log is
// what it printed, whole, once and in order.
void check_whole(Daemon& daemon, const Script& script);
// The same, but that lines may be missing; how many are.
int check_all_but_lost(Daemon& daemon, const Script& script);

// Sends the signal to each of the programs, and waits until their next ones are there.
void end_daemons(Daemon& daemon, const std::vector<std::string>& programs, int signo);

}  // namespace berth::test
