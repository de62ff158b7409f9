// A real Runner in this process, between a berthd, a launcher and sandboxes that
// the test plays by hand over the same sockets: every order of events can be made
// to happen, without root. (integration_test.cpp uses the real programs.)
#pragma once

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/descriptor_store.h"
#include "base/file.h"
#include "base/loop/timer.h"
#include "base/pipe.h"
#include "sandbox/ipc/channel.h"
#include "sandbox/runner/runner.h"
#include "tests/support/run_loop.h"
#include "vault/root_key.h"

namespace berth {

using runner::Packet;

using test::run_until;

// What berthd heard, by type.
struct Heard {
    std::vector<ipc::RunnerHello> hellos;
    std::vector<ipc::KeysLoaded> loaded;
    std::vector<ipc::DataKey> data_keys;
    std::vector<ipc::Sealed> sealed;
    std::vector<ipc::Started> started;
    std::vector<ipc::Output> outputs;
    std::vector<ipc::Connection> connections;
    std::vector<ipc::Pool> pools;
    std::vector<ipc::LiveRuns> live_runs;
    std::map<std::int64_t, ipc::Ended> ended;  // by run
    std::vector<ipc::JobEnded> jobs;
    std::vector<ipc::ManifestMade> manifests;
    std::string closed;  // why, when the runner has gone

    void take(ipc::MessageType type, std::string_view payload) {
        using ipc::MessageType;
        switch (type) {
            case MessageType::hello: return add(hellos, payload);
            case MessageType::keys_loaded: return add(loaded, payload);
            case MessageType::data_key: return add(data_keys, payload);
            case MessageType::sealed: return add(sealed, payload);
            case MessageType::started: return add(started, payload);
            case MessageType::output: return add(outputs, payload);
            case MessageType::connection: return add(connections, payload);
            case MessageType::pool: return add(pools, payload);
            case MessageType::live_runs: return add(live_runs, payload);
            case MessageType::job_ended: return add(jobs, payload);
            case MessageType::manifest_made: return add(manifests, payload);
            case MessageType::ended: {
                const auto message = ipc::decode<ipc::Ended>(payload).value();
                INFO("run " << message.run_id << ": " << message.text);
                REQUIRE(ended.count(message.run_id) == 0);  // the last word, said once
                ended[message.run_id] = message;
                return;
            }
            case MessageType::load_keys:
            case MessageType::new_data_key:
            case MessageType::seal:
            case MessageType::start:
            case MessageType::adopt:
            case MessageType::stored:
            case MessageType::settled:
            case MessageType::cancel:
            case MessageType::start_job:
            case MessageType::job_settled:
            case MessageType::check_mac:
            case MessageType::new_kek:
            case MessageType::kek_made:
            case MessageType::rewrap_keks:
            case MessageType::rewrap_data_keys:
            case MessageType::reseal:
            case MessageType::rewrapped:
            case MessageType::make_manifest:
            case MessageType::anchor:
            case MessageType::accept_restore:
            case MessageType::anchor_set:
            case MessageType::mac_checked: break;
        }
        FAIL("the runner sent a message that is berthd's");
    }
    std::string printed(std::int64_t run, ipc::StreamKind stream) const {
        std::string text;
        for (const auto& output : outputs)
            if (output.run_id == run && output.stream == stream) text += output.bytes;
        return text;
    }

private:
    template <typename Message>
    static void add(std::vector<Message>& list, std::string_view payload) {
        list.push_back(ipc::decode<Message>(payload).value());
    }
};

// What berthd answers when it has on its disk what it was told. At once here.
inline void acknowledge(ipc::Channel& runner, ipc::MessageType type, std::string_view payload) {
    if (type != ipc::MessageType::output) return;
    const auto output = ipc::decode<ipc::Output>(payload).value();
    runner.send(ipc::Stored{{output.run_id, output.attempt}, output.seq, 0});
}

// What berthd asks before it stores a list of a scope's secrets, the next one after `last`;
// and the list with the answer.
ipc::MakeManifest next_list(const ipc::Manifest& last, const std::vector<ipc::RunSecret>& secrets);
ipc::Manifest signed_list(const ipc::MakeManifest& question, const std::string& mac);

// The launcher's and the sandbox's ends of one sandbox. Its "pid 1" is a child
// that does nothing but wait to be killed.
struct PlayedSandbox {
    Fd plan, status;
    pid_t pid = -1;
    Packet plan_packet;
    ipc::PlanHeader header;
    std::string plan_bytes;  // with the header

    void die() {
        if (pid < 0) return;
        status.reset();  // in the kernel's order: pid 1 first, and the others with it
        plan.reset();
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        pid = -1;
    }
    PlayedSandbox() = default;
    PlayedSandbox(PlayedSandbox&& other) noexcept
        : plan{std::move(other.plan)},
          status{std::move(other.status)},
          pid{std::exchange(other.pid, -1)},
          plan_packet{std::move(other.plan_packet)},
          header{other.header},
          plan_bytes{std::move(other.plan_bytes)} {}
    PlayedSandbox& operator=(PlayedSandbox&&) = delete;
    ~PlayedSandbox() { die(); }
};

class Stage {
public:
    enum class RootKey { there, missing };
    enum class Manager { there, none };
    explicit Stage(RootKey root_key = RootKey::there, Manager manager = Manager::there);

    // A berthd that was started again; it has not answered LiveRuns.
    void berthd_comes_back();
    // The runner is killed; the service manager starts the next one with what it has kept.
    // That has heard a launcher's hello, and has said LiveRuns.
    void runner_goes();
    void runner_starts();
    void runner_comes_back() {
        runner_goes();
        runner_starts();
    }
    // By name, what the service manager keeps.
    const DescriptorStore::Kept& kept();
    void launcher_says_hello();
    void load_keys();
    // A start that every part takes; the case changes what it is about.
    ipc::Start start(std::int64_t run_id) const;
    ipc::RunSecret sealed_secret(const std::string& name, std::string_view value);
    // The list of all secrets there are, when these are all.
    ipc::Manifest list_of(const std::vector<ipc::RunSecret>& secrets);

    // The next request at the launcher; that it kills what it let go is passed over.
    ipc::BuildRequest next_request();
    void reply_failed(const ipc::BuildRequest& request, ipc::Step step, int err);
    PlayedSandbox reply_built(const ipc::BuildRequest& request, int cgroup_dir = -1);
    // A parked one, for the class of start().
    PlayedSandbox park(std::uint32_t slot, std::uint64_t serial);
    ipc::TakeRequest next_take();
    ipc::KillRequest next_kill();
    void answer_take(ipc::Step step, int err);
    // Waits for the plan, and leaves it unread.
    void await_plan(PlayedSandbox& sandbox);
    // Waits for the plan, with stdin, stdout and stderr; as just before execve(2).
    void take_plan(PlayedSandbox& sandbox);
    // To `Started`: request, sandbox, plan, exec.
    PlayedSandbox run(const ipc::Start& start);
    // The script has ended; closes its streams and says so.
    void end(PlayedSandbox& sandbox, int wait_status);

    const ipc::Ended& ended(std::int64_t run);
    // As for a socket that the test reads itself.
    Packet receive(int socket);

    TempDir folder{"runner"};
    Loop loop;
    SystemClock clock;
    Heard heard;
    Fd launcher;
    bool daemon_gone = false;
    std::unique_ptr<runner::Runner> runner;
    bool acknowledges = true;  // berthd: what it is told
    std::unique_ptr<ipc::Channel> berthd;

private:
    void start_runner();
    void connect_berthd();
    Packet next_at_launcher();
    PlayedSandbox hand_out(ipc::Ready ready, int cgroup_dir = -1);

    Manager manager_;
    Fd keeper_;  // the service manager's end
    DescriptorStore::Kept kept_;
    std::vector<ipc::WrappedKey> keks_;
    ipc::WrappedKey data_key_;
    ipc::Manifest last_list_;
};

}  // namespace berth
