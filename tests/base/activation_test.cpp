// Which descriptor a service manager has handed over under a name.
#include "base/activation.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

using namespace berth;

namespace {

void given(const std::string& pid, const char* count, const char* names) {
    ::setenv("LISTEN_PID", pid.c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    ::setenv("LISTEN_FDNAMES", names, 1);
}

struct Cleared {
    ~Cleared() {
        for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
            ::unsetenv(name);
    }
};

}  // namespace

TEST_CASE("a socket is found by its name, wherever it stands in the list", "[base]") {
    const Cleared cleared;
    given(std::to_string(::getpid()), "3", "run-7:control:run-8");
    CHECK(inherited_socket("control") == 4);
    CHECK(inherited_socket("run-8") == 5);
    CHECK_FALSE(inherited_socket("runner"));
    CHECK_FALSE(inherited_socket(""));
}

TEST_CASE("what is meant for another process, or is not there, is not taken", "[base]") {
    const Cleared cleared;
    CHECK_FALSE(inherited_socket("control"));
    given("1", "1", "control");
    CHECK_FALSE(inherited_socket("control"));
    given(std::to_string(::getpid()), "1", "other:control");  // more names than descriptors
    CHECK_FALSE(inherited_socket("control"));
    const char* count = GENERATE("0", "-1", "many", "99999999999");
    given(std::to_string(::getpid()), count, "control");
    CHECK_FALSE(inherited_socket("control"));
}
