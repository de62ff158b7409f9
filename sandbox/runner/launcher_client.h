// The runner's end of the connection to berth-launcher: asks for sandboxes, takes
// the answers with their descriptors, and holds those that are parked, and those that were
// completed ahead of their runs (shelf.h). The launcher may go and come back.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop/loop.h"
#include "base/loop/poll.h"
#include "base/loop/timer.h"
#include "sandbox/ipc/launcher_protocol.h"
#include "sandbox/ipc/messages.h"
#include "sandbox/runner/record.h"
#include "sandbox/runner/sandbox.h"
#include "sandbox/runner/shelf.h"

namespace berth::runner {

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
        std::function<void()> on_pool;  // pool() has changed
    };
    LauncherClient(Loop& loop, const Clock& clock, Events events);

    // A fresh connection; the launcher's Hello makes it usable.
    void attach(Fd connected);
    // All that waits for runs ends. Nobody is told.
    void detach() noexcept;
    // Nothing while there is no launcher that has said hello.
    const std::optional<ipc::Hello>& hello() const noexcept { return hello_; }
    // Attached, and its Hello has not come yet.
    bool expected() const noexcept { return socket_ && !hello_; }

    // The number to forget() it by. A launcher that is not there, or goes, is a
    // BuildFailed too.
    std::uint64_t build(ipc::BuildRequest request, Callback<void(BuildResult)> done);
    // A complete sandbox, or a parked one that fits, with the request for its release under
    // way; nothing when there is neither. Its plan may be sent at once: it executes nothing
    // before the release is there.
    struct Taken {
        Sandbox sandbox;
        std::uint64_t id = 0;  // 0: it is complete, and nothing will be answered
    };
    std::optional<Taken> take(const ipc::BuildRequest& request);
    // To be called in the same turn of the loop. When the launcher has gone, Step::none,
    // since then only the sandbox itself tells what became of it.
    void when_answered(std::uint64_t id, Callback<void(ipc::Attached)> answered);
    // `done` or `answered` is not called any more; the sandbox, if it comes, is killed at
    // once.
    void forget(std::uint64_t id) noexcept;
    // Has the launcher end the sandbox, which closing its status socket leaves to its
    // pid 1. Nothing happens without a launcher, or for one that has ended.
    void kill(const SandboxName& name);

    const ipc::Pool& pool() const noexcept { return pool_; }

private:
    void ready(int events);
    void receive(Packet packet);
    void park(const ipc::Ready& ready, Sandbox sandbox);
    void retire(const ipc::Retire& retire);
    std::optional<Sandbox> take_parked(const ipc::BuildRequest& request);
    void tend_soon();
    void tend();
    bool can_spare(const ipc::Class& kind) const;
    std::size_t coming() const;
    void take_answered(const ipc::Attached& answer);
    void pool_changed();
    void answer(std::uint64_t id, BuildResult result);
    void write_some();
    void drop(std::string why);

    Loop& loop_;
    Events events_;
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, Callback<void(BuildResult)>> waiting_;
    struct Parked {
        ipc::Class kind;
        Sandbox sandbox;
    };
    std::deque<Parked> parked_;  // oldest first
    struct Ahead {
        ipc::BuildRequest request;
        Sandbox sandbox;
    };
    struct Take {
        std::uint64_t id = 0;
        Callback<void(ipc::Attached)> answered;
        std::optional<Ahead> ahead;  // of no run: for the shelf
    };
    std::deque<Take> takes_;  // in the order they were sent, which is that of the answers
    Shelf shelf_;
    Timer tend_;
    bool tending_soon_ = false;
    ipc::Pool pool_;
    std::deque<std::variant<ipc::BuildRequest, ipc::TakeRequest, ipc::KillRequest>> unsent_;
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
