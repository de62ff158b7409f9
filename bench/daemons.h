// The real daemons for a bench: `berthd --all` in a folder of its own, and what one does
// with them through the socket.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/file.h"
#include "bench/bench.h"
#include "control/client.h"

namespace berth::bench {

class Daemons {
public:
    // `settings` are further lines of the configuration file.
    explicit Daemons(const std::string& settings = {});
    Daemons(const Daemons&) = delete;
    Daemons& operator=(const Daemons&) = delete;
    ~Daemons();

    // How long it took until runs could start.
    Steady::duration start();
    void stop();

    std::filesystem::path socket() const { return root_.path() / "run" / "control.sock"; }
    std::filesystem::path store_dir() const;
    // Makes what was written to the store's folder berthd's own; while it is stopped.
    void give_store();

    // The body of a good answer; throws with the daemons' words for anything else.
    std::string must(std::string_view method, std::string_view target, std::string_view body = {});
    // An integration whose only release is `program` and runs `line`.
    std::int64_t install(const std::string& name, const std::filesystem::path& program,
                         const std::string& line);
    std::int64_t add_tenant(std::int64_t integration, const std::string& name);

    // Of the line of /metrics that begins so.
    double metric(std::string_view name);

    // Processor time by program; berth-launcher's has that of the sandboxes that have ended.
    std::map<std::string, double> cpu_ms() const;
    // By program: what each daemon takes.
    std::map<std::string, double> resident_mib() const;

private:
    Fd claim_;  // of a range of uids that no other bench or test has
    std::uint32_t first_uid_ = 0;
    TempDir root_{"daemon-bench"};
    pid_t pid_ = -1;
    Client client_{socket()};
};

// Where the programs of this build are.
std::filesystem::path programs();

}  // namespace berth::bench
