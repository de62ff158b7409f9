// berth-egress as the supervisor starts it, and a stand-in host on which runs of the real
// programs meet the network through it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "base/loop/child.h"
#include "base/loop/loop.h"
#include "tests/egress/test_network.h"
#include "tests/runner/real_programs.h"

namespace berth::egress_test {

// At a socket of its own.
class Egress {
public:
    explicit Egress(std::vector<std::string> options = {});
    std::string path() const { return folder_.path() / "egress.sock"; }
    void start(Loop& loop, uid_t runner_uid);

    std::unique_ptr<Child> program;
    bool ended = false;

private:
    std::vector<std::string> options_;
    TempDir folder_{"egress"};
    Fd listening_;
};

class Host {
public:
    explicit Host(const std::vector<std::string>& options = {});
    ~Host() { egress.program.reset(); }  // before the loop
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    void start_egress() { egress.start(programs.loop, programs.runner_uid()); }

    ipc::Start script(std::int64_t run, const std::string& text,
                      std::vector<std::string> names = {}) const;
    // What it printed; on stderr too when it failed.
    std::string said(const std::string& text, std::vector<std::string> names = {});
    // The record of the last run, a line each: `name address:port refused`.
    std::string record() const { return record(last_run); }
    std::string record(std::int64_t run) const;

    TestNetwork net;
    Egress egress;
    RealPrograms programs;
    std::int64_t last_run = 0;
};

inline const std::string kCurl = "curl -sS --max-time 120 ";

}  // namespace berth::egress_test
