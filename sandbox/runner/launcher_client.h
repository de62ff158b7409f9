// The runner's end of the connection to berth-launcher: asks for sandboxes, takes
// the answers with their descriptors. The launcher may go and come back.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/callback.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/runner/record.h"

namespace berth::runner {

// A sandbox whose pid 2 waits for its plan. Closing `status` kills it.
struct Sandbox {
    std::uint32_t protections = 0;
    Fd plan;
    Fd status;
    Fd pidfd;   // of its pid 1; readable when every process in it is dead
    Fd cgroup;  // the directory; may be empty
};

struct BuildFailed {
    std::string text;
    int err = 0;
};

using BuildResult = std::variant<Sandbox, BuildFailed>;

// Thread: loop.
class LauncherClient {
public:
    struct Events {
        std::function<void()> on_hello;
        std::function<void(std::string why)> on_gone;
    };
    LauncherClient(Loop& loop, Events events);

    // A fresh connection; the launcher's Hello makes it usable.
    void attach(Fd connected);
    // Nothing while there is no launcher that has said hello.
    const std::optional<ipc::Hello>& hello() const noexcept { return hello_; }
    // Attached, and its Hello has not come yet.
    bool expected() const noexcept { return socket_ && !hello_; }

    // The number to forget() it by. A launcher that is not there, or goes, is a
    // BuildFailed too.
    std::uint64_t build(ipc::BuildRequest request, Callback<void(BuildResult)> done);
    // `done` is not called any more; the sandbox, if it comes, is killed at once.
    void forget(std::uint64_t id) noexcept { waiting_.erase(id); }

private:
    void ready(int events);
    void take(Packet packet);
    void answer(std::uint64_t id, BuildResult result);
    void write_some();
    void drop(std::string why);

    Loop& loop_;
    Events events_;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, Callback<void(BuildResult)>> waiting_;
    std::deque<ipc::BuildRequest> unsent_;
    std::optional<ipc::Hello> hello_;
    Fd socket_;
    std::optional<Poll> poll_;  // after socket_: goes first
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

public:
    ~LauncherClient() { *alive_ = false; }
    LauncherClient(const LauncherClient&) = delete;
    LauncherClient& operator=(const LauncherClient&) = delete;
};

}  // namespace berth::runner
