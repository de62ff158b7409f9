// Starting the real launcher and speaking to it as the runner does; see sandbox.h.
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/pipe.h"
#include "tests/sandbox/packets.h"
#include "tests/sandbox/sandbox.h"

extern char** environ;

namespace berth::sandbox_test {
namespace {

namespace fs = std::filesystem;

void make_release(const std::string& folder) {
    fs::create_directories(folder);
    fs::copy_file(BERTH_BINARY_DIR "/bin/sandbox_probe", folder + "/probe");
    fs::permissions(folder + "/probe", fs::perms{0755});
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    return address;
}

Fd listen_at(const std::string& path) {
    Fd socket{check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "making a socket")};
    const sockaddr_un address = address_of(path);
    check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "binding '{}'", path);
    check(::listen(socket.get(), 4), "listening");
    return socket;
}

// So that test programs that run at once do not share uids.
// No two processes of this host have the same: pids are below 2^22. Half of them suffices.
uid_t own_first_uid() { return 1'000'000 + static_cast<uid_t>(::getpid() % (1 << 21)) * 256; }

}  // namespace

Launcher::Launcher() : Launcher{Options{}} {}

Launcher::Launcher(const Options& options)
    : folder_{"sandbox-test"},
      first_uid_{options.first_uid != 0 ? options.first_uid : own_first_uid()} {
    fs::permissions(folder_.path(), fs::perms{0755});
    make_release(release_path("probe"));
    SocketPair pair = make_seqpacket_pair();
    constexpr int kGivenFd = 3;
    std::vector<std::string> words{BERTH_BINARY_DIR "/bin/berth-launcher",
                                   "--releases",
                                   release_path(""),
                                   "--first-uid",
                                   std::to_string(first_uid_),
                                   "--slots",
                                   std::to_string(options.slots),
                                   "--runner-uid",
                                   std::to_string(options.runner_uid)};
    const auto add = [&words](const char* option, const std::string& value) {
        words.insert(words.end(), {option, value});
    };
    if (options.host_network == HostNetwork::allowed) words.emplace_back("--allow-host-network");
    add(options.listening ? "--listen-fd" : "--runner-fd", std::to_string(kGivenFd));
    if (options.listening) pair.b = listen_at(socket_path());
    add("--pool", std::to_string(options.pool));
    if (options.pool_age_s != 0) add("--pool-age", std::to_string(options.pool_age_s));
    add("--cgroups", options.cgroups);
    words.insert(words.end(), options.more.begin(), options.more.end());
    if (options.require_cgroup) words.emplace_back("--require-cgroup");
    if (options.strict) words.emplace_back("--strict");
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pair.b.get(), kGivenFd);
    const int err = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (err != 0) throw SystemError{err, "starting berth-launcher"};
    pair.b.reset();
    if (options.listening) return;
    socket_ = std::move(pair.a);
    try {
        hello = await_hello(socket_.get());
    } catch (...) {
        kill();
        throw;
    }
}

Launcher::~Launcher() {
    socket_.reset();
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::string Launcher::release_path(const std::string& name) const {
    return folder_.path().string() + "/releases/" + name;
}

ipc::BuildRequest Launcher::request() const {
    ipc::BuildRequest request;
    std::strcpy(request.kind.runtime, "host");
    std::strcpy(request.assignment.release, "probe");
    request.assignment.limits = {.memory_bytes = 512 << 20,
                                 .scratch_bytes = 16 << 20,
                                 .scratch_inodes = 1000,
                                 .processes = 64,
                                 .open_files = 128,
                                 .file_bytes = 64 << 20};
    return request;
}

Sandbox Launcher::build(const ipc::BuildRequest& request) {
    ipc::BuildRequest sent = request;
    sent.id = next_id_++;
    REQUIRE(::send(socket_.get(), &sent, sizeof sent, MSG_NOSIGNAL) == sizeof sent);
    return await_ready(sent.id, sent.assignment.limits);
}

std::uint64_t Launcher::ask(const ipc::BuildRequest& request) {
    ipc::BuildRequest sent = request;
    sent.id = next_id_++;
    REQUIRE(::send(socket_.get(), &sent, sizeof sent, MSG_NOSIGNAL) == sizeof sent);
    return sent.id;
}

Sandbox Launcher::await_answer(std::uint64_t id) {
    return await_ready(id, request().assignment.limits);
}

Sandbox Launcher::await_parked() { return await_ready(0, request().assignment.limits); }

// The first packet that fits; others wait for whoever asks for them.
Launcher::Packet Launcher::next(const std::function<bool(const std::string&)>& fits) {
    for (std::size_t i = 0;; ++i) {
        if (i == inbox_.size()) {
            Packet packet;
            packet.bytes = receive(socket_.get(), packet.descriptors);
            REQUIRE_FALSE(packet.bytes.empty());
            inbox_.push_back(std::move(packet));
        }
        if (!fits(inbox_[i].bytes)) continue;
        Packet found = std::move(inbox_[i]);
        inbox_.erase(inbox_.begin() + static_cast<std::ptrdiff_t>(i));
        return found;
    }
}

Sandbox Launcher::await_ready(std::uint64_t id, const ipc::SandboxLimits& limits) {
    Packet packet = next([&](const std::string& bytes) {
        const auto ready = as<ipc::Ready>(bytes);
        return ready && ready->id == id;
    });
    auto& descriptors = packet.descriptors;
    Sandbox sandbox;
    sandbox.reply = *as<ipc::Ready>(packet.bytes);
    sandbox.limits = limits;
    if (sandbox.reply.step != ipc::Step::none) {
        REQUIRE(descriptors.empty());
        return sandbox;
    }
    const std::size_t before = 3 + sandbox.reply.has_cgroup;
    REQUIRE(descriptors.size() == before + sandbox.reply.listeners);
    sandbox.plan = std::move(descriptors[0]);
    sandbox.status = std::move(descriptors[1]);
    sandbox.pidfd = std::move(descriptors[2]);
    if (sandbox.reply.has_cgroup != 0) sandbox.cgroup = std::move(descriptors[3]);
    for (std::size_t i = before; i < descriptors.size(); ++i)
        sandbox.listeners.push_back(std::move(descriptors[i]));
    return sandbox;
}

ipc::Attached Launcher::await_attached() {
    return *as<ipc::Attached>(
        next([](const std::string& bytes) { return bytes.size() == sizeof(ipc::Attached); }).bytes);
}

ipc::Retire Launcher::await_retire() {
    return *as<ipc::Retire>(
        next([](const std::string& bytes) { return bytes.size() == sizeof(ipc::Retire); }).bytes);
}

void Launcher::take(const Sandbox& parked, const ipc::Assignment& assignment) {
    ipc::TakeRequest take;
    take.slot = parked.reply.slot;
    take.serial = parked.reply.serial;
    take.assignment = assignment;
    REQUIRE(::send(socket_.get(), &take, sizeof take, MSG_NOSIGNAL) == sizeof take);
}

void Launcher::kill_sandbox(const Sandbox& sandbox, std::uint64_t serial) {
    ipc::KillRequest kill;
    kill.slot = sandbox.reply.slot;
    kill.serial = serial;
    REQUIRE(::send(socket_.get(), &kill, sizeof kill, MSG_NOSIGNAL) == sizeof kill);
}

Ended Launcher::run_with(const ipc::BuildRequest& request, const Run& run) {
    Sandbox sandbox = build(request);
    INFO("the sandbox failed at: " << ipc::step_text(sandbox.reply.step) << ", errno "
                                   << sandbox.reply.err);
    REQUIRE(sandbox.reply.step == ipc::Step::none);
    const auto failed = sandbox.start(run);
    sandbox.end_input();
    Ended ended = sandbox.finish();
    ended.failed = failed;
    return ended;
}

std::string Launcher::said(std::vector<std::string> arguments) {
    const Ended ended = run(probe(std::move(arguments)));
    CHECK(ended.err == "");
    REQUIRE(ended.report);
    REQUIRE(ended.report->wait_status == 0);
    return ended.out;
}

void Launcher::connect() {
    inbox_.clear();
    socket_ = connect_to(socket_path());
    hello = await_hello(socket_.get());
}

std::size_t Launcher::unread() {
    for (;;) {
        pollfd more{socket_.get(), POLLIN, 0};
        if (::poll(&more, 1, 0) != 1) return inbox_.size();
        Packet packet;
        packet.bytes = receive(socket_.get(), packet.descriptors);
        if (packet.bytes.empty()) return inbox_.size();
        inbox_.push_back(std::move(packet));
    }
}

void Launcher::kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

int Launcher::await_exit() {
    const Fd watched{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
    pollfd ended{watched.get(), POLLIN, 0};
    REQUIRE(::poll(&ended, 1, kDeadlineMs) == 1);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
}

Fd connect_to(const std::string& path) {
    Fd socket{check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "making a socket")};
    const sockaddr_un address = address_of(path);
    check(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "connecting to '{}'", path);
    return socket;
}

bool hung_up(int socket) {
    std::vector<Fd> none;
    return receive(socket, none).empty();
}

ipc::Hello await_hello(int socket) {
    std::vector<Fd> none;
    const auto hello = as<ipc::Hello>(receive(socket, none));
    if (!hello) throw SystemError{EPROTO, "the launcher did not say hello"};
    return *hello;
}

std::vector<pid_t> processes_of(uid_t uid) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream status{entry.path() / "status"};
        for (std::string word; status >> word;) {
            if (word == "State:" && status >> word && word == "Z") break;  // holds nothing
            if (word != "Uid:") continue;
            uid_t real = 0;
            status >> real;
            if (real == uid) found.push_back(std::stoi(name));
            break;
        }
    }
    return found;
}

std::string no_sandbox_because() {
    if (::geteuid() != 0) return "only root can start berth-launcher";
    try {
        const Launcher launcher;
        return {};
    } catch (const SystemError&) {
        return "berth-launcher does not start here (its reason is above)";
    }
}

}  // namespace berth::sandbox_test
