// berth-runner's end of the socket, played by hand: it has its keys and its launcher, writes down
// what it is told, and does nothing by itself.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/ipc/channel.h"
#include "sandbox/ipc/messages.h"
#include "tests/support/run_loop.h"

namespace berth::test {

// Thread: loop.
class PlayedRunner {
public:
    PlayedRunner(Loop& loop, const std::filesystem::path& path) : loop_{loop} {
        listener_ = Fd{
            check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "a socket")};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        check(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              "binding");
        check(::listen(listener_.get(), 4), "listening");
    }

    // The next connection; it has these jobs, and no runs.
    void accept(std::vector<std::uint64_t> live_jobs = {}) {
        Fd fd;
        run_until(loop_, [&] {
            fd = Fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
            return static_cast<bool>(fd);
        });
        channel_ = std::make_unique<ipc::Channel>(
            loop_, std::move(fd),
            ipc::Channel::Events{
                [this](ipc::MessageType type, std::string_view payload) { heard(type, payload); },
                [](const std::string&) {}});
        channel_->send(ipc::LiveRuns{{}, std::move(live_jobs)});
        ipc::RunnerHello hello;
        hello.root_key_id = "12345678";
        hello.launcher_present = true;
        channel_->send(hello);
    }
    void leave() { channel_.reset(); }
    template <typename Message>
    void say(const Message& message) {
        channel_->send(message);
    }

    std::vector<ipc::RunName> started, cancelled, settled;
    std::vector<ipc::StartJob> started_jobs;
    std::vector<std::uint64_t> settled_jobs;
    std::vector<ipc::Manifest> lists;  // of the last start
    std::uint64_t anchor = 0, anchor_at_start = 0;

private:
    void heard(ipc::MessageType type, std::string_view payload) {
        if (type == ipc::MessageType::load_keys) {
            ipc::KeysLoaded loaded;
            loaded.ok = true;
            channel_->send(loaded);
        } else if (type == ipc::MessageType::start) {
            const auto start = ipc::decode<ipc::Start>(payload).value();
            started.push_back({start.run_id, start.attempt});
            lists = start.manifests;
            anchor_at_start = anchor;
        } else if (type == ipc::MessageType::anchor) {
            anchor = ipc::decode<ipc::Anchor>(payload)->counter;
        } else if (type == ipc::MessageType::cancel) {
            const auto cancel = ipc::decode<ipc::Cancel>(payload).value();
            cancelled.push_back({cancel.run_id, cancel.attempt});
        } else if (type == ipc::MessageType::settled) {
            settled.push_back(ipc::decode<ipc::Settled>(payload)->run);
        } else if (type == ipc::MessageType::start_job) {
            started_jobs.push_back(ipc::decode<ipc::StartJob>(payload).value());
        } else if (type == ipc::MessageType::job_settled) {
            settled_jobs.push_back(ipc::decode<ipc::JobSettled>(payload)->job);
        }
    }

    Loop& loop_;
    Fd listener_;
    std::unique_ptr<ipc::Channel> channel_;
};

}  // namespace berth::test
