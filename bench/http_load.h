// Many keep-alive connections to a Unix socket, each sending its next request when its last
// was answered; one thread, so that the clients cost less than what they ask.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/http_wire.h"

namespace berth::bench {

struct Load {
    double per_second = 0;
    Samples waits;  // from the request to the whole answer
};

// A connection for each of `requests`, and `total` requests over all of them. Every answer
// must be a 2xx; throws with what it was otherwise.
Load send_load(const std::filesystem::path& socket, const std::vector<std::string>& requests,
               int total);

}  // namespace berth::bench
