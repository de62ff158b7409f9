// Many runs as berth-runner has them, several in flight: its own code on its loop, with a
// launcher. What is left out is the socket to berthd, and the record.
#pragma once

#include <filesystem>
#include <string>

#include "bench/sandboxed.h"
#include "bench/sustained.h"

namespace berth::bench {

// The launcher's own start and end are in the processor time. What runs find: see
// sandboxed.h.
Sustained sustain_live_runs(const std::string& launcher, const std::filesystem::path& program,
                            Found found, int in_flight, int count);

}  // namespace berth::bench
