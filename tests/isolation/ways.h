// The ways in which runs go that the supervisor must survive: well, by a crash, a flood, a
// bomb, a hang, with a connection, in setup, cancelled; and how each must be reported.
#pragma once

#include "tests/runner/real_programs.h"
#include "tests/support/seed.h"

namespace berth {

// One way for a run to go, and how it must be reported.
struct Way {
    const char* name;
    std::size_t weight;
    ipc::Start (*start)(const RealPrograms& berth, std::int64_t run);
    bool (*as_expected)(const ipc::Ended& ended);
    bool cancelled = false;
};

const Way& any_way(std::mt19937_64& random);

}  // namespace berth
