// A small internet for the egress tests, in network namespaces of their own: the test's
// process moves to a stand-in host, whose default route leads to a `world` (world.py)
// that answers on every address and tells which were reached.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/file.h"

namespace berth::egress_test {

class TestNetwork {
public:
    TestNetwork();  // from here on this process, and what it starts, is on the stand-in host
    ~TestNetwork();
    TestNetwork(const TestNetwork&) = delete;
    TestNetwork& operator=(const TestNetwork&) = delete;

    // Where the world was reached so far: `5.5.5.2:80 5.5.5.2:443`.
    std::string reached();
    // How often the world was asked for this name.
    int asked(const std::string& name);
    // Connections that came to the stand-in host itself, on every address of it, port 80.
    int host_reached();
    std::string ca() const;  // the certificate that signs `allowed.test`

private:
    std::string question(const std::string& line);
    TempDir folder_{"egress-net"};
    pid_t world_ = -1;
    FILE* to_world_ = nullptr;
    FILE* from_world_ = nullptr;
    Fd host_;
    int host_reached_ = 0;
};

}  // namespace berth::egress_test
