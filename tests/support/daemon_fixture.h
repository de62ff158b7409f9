// The real daemons, started in a temporary folder of their own and spoken to
// through the socket: `berthd --all` with launcher and runner. Nothing is faked.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/file.h"
#include "control/client.h"

namespace berth::test {

using nlohmann::json;

// What a run's files are: name → content; written to a folder and uploaded.
using Folder = std::vector<std::pair<std::string, std::string>>;

class Daemon {
public:
    // `settings` are further lines of the configuration file.
    explicit Daemon(std::string settings = "");
    // On folders that are there already (a store that was filled by hand).
    Daemon(const std::filesystem::path& root, std::string settings);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon();

    // Instead of the build's programs, or those of the folder BERTH_PROGRAMS: this berthd and
    // those beside it.
    void use_program(std::filesystem::path berthd) { program_ = std::move(berthd); }
    void start();         // and waits until it is ready
    void launch();        // does not wait
    int stop(int signo);  // of `berthd --all`; its wait status
    void wait_ready();
    // The pid of one of the daemons, by program name, below our supervisor.
    pid_t pid_of(const std::string& program) const;
    void kill_daemon(const std::string& program);  // SIGKILL, and waits until it is gone
    pid_t supervisor() const { return pid_; }

    const std::filesystem::path& root() const { return root_; }
    std::filesystem::path state_dir() const { return root_ / "state"; }
    std::filesystem::path socket() const { return root_ / "run" / "control.sock"; }
    std::string log() const;  // what the daemons wrote to stderr
    // Living processes of the host whose real user is one of this daemon's sandboxes';
    // not those of sandboxes that are parked.
    std::vector<pid_t> sandboxed_processes() const;
    // Waits until none is left.
    bool nothing_sandboxed() const;

    // A request that must be answered; the failure of a missing answer fails the test.
    ClientResponse request(const std::string& method, const std::string& target,
                           const json& body = nullptr, const ClientHeaders& headers = {});
    // The same, and the status must be 2xx; gives the JSON.
    json must(const std::string& method, const std::string& target, const json& body = nullptr,
              const ClientHeaders& headers = {});

    // An integration with one release made of `folder`, and a tenant of it.
    struct Installed {
        std::int64_t integration = 0;
        std::int64_t release = 0;
        std::int64_t tenant = 0;
    };
    // `options` are further fields of the integration.
    Installed install(const std::string& name, const Folder& folder, json options = json::object(),
                      json configs = json::object());
    ClientResponse upload(std::int64_t integration, const Folder& folder,
                          const std::string& query = "default=true");

    std::string sync(std::int64_t tenant, const std::string& mode = "normal",
                     const json& payload = nullptr);
    // Waits (with a deadline) until the trigger's run is in a final state.
    json wait_run(const std::string& trigger_id);
    json run(std::int64_t tenant, const std::string& mode = "normal",
             const json& payload = nullptr) {
        return wait_run(sync(tenant, mode, payload));
    }
    std::string run_log(std::int64_t run_id, const std::string& stream = "");

private:
    void prepare(const std::string& settings);
    std::size_t parked_sandboxes() const;

    // A range of uids that no other Daemon has, in whatever process; taken for as long
    // as the descriptor is open.
    Fd claim_;
    std::uint32_t first_uid_ = 0;
    bool has_pool_ = true;
    std::optional<TempDir> own_root_;
    std::filesystem::path root_;
    std::filesystem::path program_;
    pid_t pid_ = -1;
};

// Where the programs are that the daemons are started from.
std::filesystem::path programs();
// A PANDIUM.yaml that runs `command` under the host's shell.
std::string manifest(const std::string& command, const std::string& more = "configs: {}\n");
// Waits until `is_true`, at most `deadline`, which is for what never comes: no machine is
// too slow for it. False when it did not come about.
bool eventually(const std::function<bool()>& is_true,
                std::chrono::milliseconds deadline = std::chrono::seconds{180});
}  // namespace berth::test
