#include "tests/runner/real_programs.h"

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "base/text.h"
#include "model/limits.h"
#include "vault/root_key.h"

namespace berth {
namespace {

constexpr int kFirstFd = 3;
constexpr int kSecondFd = 4;

std::string program(const char* name) { return std::string{BERTH_BINARY_DIR "/bin/"} + name; }

}  // namespace

RealPrograms::RealPrograms(const std::vector<std::string>& of_runner, HostNetwork host_network,
                           unsigned pool)
    // A range of its own for each test process: several may run at once.
    : first_uid_{1'000'000'000 + static_cast<uid_t>(::getpid()) * 32} {
    namespace fs = std::filesystem;
    const uid_t runner_uid = first_uid_ - 1;
    fs::permissions(folder.path(), fs::perms{0711});
    fs::create_directories(release());
    const auto keys = folder.path() / "keys";
    fs::create_directory(keys);
    REQUIRE(vault::make_root_key_file(keys / "root.key"));
    check(::chown(keys.c_str(), runner_uid, runner_uid), "giving the keys away");
    check(::chown((keys / "root.key").c_str(), runner_uid, runner_uid), "giving the key away");

    auto to_launcher = make_seqpacket_pair();
    auto to_berthd = make_seqpacket_pair();
    ChildOptions launching;
    launching.argv = {program("berth-launcher"),
                      "--runner-fd",
                      std::to_string(kFirstFd),
                      "--releases",
                      (folder.path() / "releases").string(),
                      "--first-uid",
                      std::to_string(first_uid_),
                      "--slots",
                      std::to_string(kSlots),
                      "--pool",
                      std::to_string(pool)};
    if (host_network == HostNetwork::allowed) launching.argv.emplace_back("--allow-host-network");
    launching.fds = {{to_launcher.a.get(), kFirstFd}};
    launcher = std::make_unique<Child>(loop, launching, [](int) {});

    ChildOptions running;
    running.argv = {program("berth-runner"),
                    "--root-key",
                    (keys / "root.key").string(),
                    "--state-dir",
                    (folder.path() / "store").string(),
                    "--daemon-fd",
                    std::to_string(kFirstFd),
                    "--launcher-fd",
                    std::to_string(kSecondFd)};
    running.argv.insert(running.argv.end(), of_runner.begin(), of_runner.end());
    // A sanitizer keeps freed memory for a while; the memory test wants it back.
    running.env = {"ASAN_OPTIONS=quarantine_size_mb=1"};
    running.fds = {{to_berthd.b.get(), kFirstFd}, {to_launcher.b.get(), kSecondFd}};
    running.uid = runner_uid;
    running.gid = runner_uid;
    running.drop_capabilities = true;
    runner = std::make_unique<Child>(loop, running, [this](int status) { runner_status = status; });

    berthd = std::make_unique<ipc::Channel>(
        loop, std::move(to_berthd.a),
        ipc::Channel::Events{[this](ipc::MessageType type, std::string_view payload) {
                                 heard.take(type, payload);
                                 acknowledge(*berthd, type, payload);
                             },
                             [this](std::string why) { heard.closed = std::move(why); }});
    run_until(loop, [this] { return !heard.hellos.empty(); });
    REQUIRE(heard.hellos[0].why.empty());
    REQUIRE(heard.hellos[0].launcher_present);
    CHECK(heard.hellos[0].first_uid == first_uid_);

    ipc::LoadKeys load;
    load.install_id = std::string(16, 'i');
    berthd->send(load);
    ipc::NewDataKey wanted;
    wanted.scope = {ipc::ScopeKind::tenant, 5};
    wanted.key_id = 9;
    berthd->send(wanted);
    run_until(loop, [this] { return !heard.data_keys.empty(); });
    REQUIRE(heard.data_keys[0].why.empty());
    data_key_ = heard.data_keys[0].key;
}

ipc::Start RealPrograms::script(std::int64_t run_id, const std::string& text) const {
    ipc::Start start;
    start.run_id = run_id;
    start.argv = {"/bin/sh", "-c", text};
    start.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
    start.runtime = "host";
    start.release = "r1";
    start.memory_bytes = limits::kMemoryBytes;
    start.wall_time_s = 600;
    return start;
}

ipc::RunSecret RealPrograms::sealed_secret(const std::string& name, std::string_view value) {
    ipc::RunSecret secret;
    secret.names = {name};
    secret.where = {{ipc::ScopeKind::tenant, 5}, 3, name, 1};
    secret.data_key = data_key_;
    ipc::Seal seal;
    seal.data_key = data_key_;
    seal.where = secret.where;
    seal.plaintext = Secret{value};
    const auto before = heard.sealed.size();
    berthd->send(seal);
    run_until(loop, [&] { return heard.sealed.size() > before; });
    REQUIRE(heard.sealed.back().why.empty());
    secret.envelope = heard.sealed.back().envelope;
    return secret;
}

ipc::Manifest RealPrograms::list_of(const std::vector<ipc::RunSecret>& secrets) {
    const auto question = next_list(last_list_, secrets);
    const auto before = heard.manifests.size();
    berthd->send(question);
    run_until(loop, [&] { return heard.manifests.size() > before; });
    REQUIRE(heard.manifests.back().why.empty());
    return last_list_ = signed_list(question, heard.manifests.back().mac);
}

const ipc::Ended& RealPrograms::ended(std::int64_t run) {
    run_until(loop, [&] { return heard.ended.count(run) != 0 || !heard.closed.empty(); });
    REQUIRE(heard.closed.empty());
    return heard.ended.at(run);
}

const ipc::Ended& RealPrograms::run(const ipc::Start& start) {
    berthd->send(start);
    return ended(start.run_id);
}

void RealPrograms::wait_for_output(std::int64_t run, const std::string& text) {
    run_until(loop, [&] {
        return out(run).find(text) != std::string::npos || heard.ended.count(run) != 0;
    });
    INFO(err(run));
    REQUIRE(heard.ended.count(run) == 0);
}

bool RealPrograms::is_sandboxed(pid_t pid) const {
    // By getline, which takes a process that ends meanwhile for the end of the file.
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    std::string line;
    while (std::getline(status, line) && !line.starts_with("Uid:\t")) {
    }
    if (!status) return false;
    const auto uid = std::strtoul(line.c_str() + 5, nullptr, 10);
    return uid >= first_uid_ && uid < first_uid_ + 2 * kSlots;
}

std::vector<pid_t> RealPrograms::sandbox_pids() const {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const auto pid = to_number<pid_t>(entry.path().filename().string());
        if (pid && is_sandboxed(*pid)) found.push_back(*pid);
    }
    return found;
}

std::vector<Fd> RealPrograms::sandbox_processes() const {
    std::vector<Fd> found;
    for (const pid_t pid : sandbox_pids()) {
        Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
        // Looked at again when it is held: the number may be another's by then.
        if (pidfd && is_sandboxed(pid)) found.push_back(std::move(pidfd));
    }
    return found;
}

void RealPrograms::wait_for_no_sandbox_processes() const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{180};
    // A process that is found may be forking: looked for again until there is none.
    for (auto left = sandbox_processes(); !left.empty(); left = sandbox_processes()) {
        REQUIRE(std::chrono::steady_clock::now() < deadline);
        for (const Fd& pidfd : left) {
            pollfd wait{pidfd.get(), POLLIN, 0};
            REQUIRE(::poll(&wait, 1, 180'000) == 1);
        }
    }
}

}  // namespace berth
