// The real berth-launcher and berth-runner, started as in production (the runner
// without rights), with the test in berthd's place.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/loop/child.h"
#include "base/loop/loop.h"
#include "sandbox/ipc/channel.h"
#include "tests/runner/hand_played.h"

namespace berth {

class RealPrograms {
public:
    enum class HostNetwork { refused, allowed };
    // `of_runner`: more of the runner's command line. `pool`: how many the launcher parks;
    // with none, a process in a sandbox is one of a run.
    explicit RealPrograms(const std::vector<std::string>& of_runner = {},
                          HostNetwork host_network = HostNetwork::refused, unsigned pool = 0);
    uid_t runner_uid() const { return first_uid_ - 1; }

    // `/bin/sh -c script` with a minute of time.
    ipc::Start script(std::int64_t run_id, const std::string& text) const;
    ipc::RunSecret sealed_secret(const std::string& name, std::string_view value);
    ipc::Manifest list_of(const std::vector<ipc::RunSecret>& secrets);
    const ipc::Ended& ended(std::int64_t run);
    const ipc::Ended& run(const ipc::Start& start);
    void wait_for_output(std::int64_t run, const std::string& text);
    std::string out(std::int64_t run) const { return heard.printed(run, ipc::StreamKind::out); }
    std::string err(std::int64_t run) const { return heard.printed(run, ipc::StreamKind::err); }

    // Processes with a uid of this fixture's sandboxes, by number and as pidfds.
    std::vector<pid_t> sandbox_pids() const;
    std::vector<Fd> sandbox_processes() const;
    // Waits for the end of every one of them.
    void wait_for_no_sandbox_processes() const;
    std::filesystem::path release() const { return folder.path() / "releases" / "r1"; }

    TempDir folder{"runner-real"};
    Loop loop;
    Heard heard;
    std::unique_ptr<ipc::Channel> berthd;
    std::unique_ptr<Child> launcher;
    std::unique_ptr<Child> runner;
    std::optional<int> runner_status;

private:
    bool is_sandboxed(pid_t pid) const;

    // Of the 16 pairs of users that a fixture has; one is the runner's.
    static constexpr uid_t kSlots = 15;
    uid_t first_uid_;
    ipc::WrappedKey data_key_;
    ipc::Manifest last_list_;
};

}  // namespace berth
