// Starting the real launcher and playing the runner's side of it; see the header.
#include "tests/sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/pipe.h"

extern char** environ;

namespace berth::sandbox_test {
namespace {

namespace fs = std::filesystem;

constexpr int kDeadlineMs = 60'000;  // for anything that must happen; never waited out

// One packet, and the descriptors that came with it. Empty at the end.
std::string receive(int socket, std::vector<Fd>& descriptors, int deadline_ms = kDeadlineMs) {
    pollfd watched{socket, POLLIN, 0};
    REQUIRE(::poll(&watched, 1, deadline_ms) == 1);
    std::array<char, 4096> bytes;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(32 * sizeof(int))> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n <= 0) return {};
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof fd);
            descriptors.emplace_back(fd);
        }
    }
    return {bytes.data(), static_cast<std::size_t>(n)};
}

template <typename Record>
std::optional<Record> as(const std::string& packet) {
    Record record;
    if (packet.size() != sizeof record) return {};
    std::memcpy(&record, packet.data(), sizeof record);
    return record;
}

template <typename Record>
void append(std::string& to, const Record& record) {
    to.append(reinterpret_cast<const char*>(&record), sizeof record);
}

std::string read_all(int fd) {
    std::string all;
    std::array<char, 65536> part;
    for (;;) {
        pollfd watched{fd, POLLIN, 0};
        REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
        const ssize_t n = ::read(fd, part.data(), part.size());
        if (n <= 0) return all;
        all.append(part.data(), static_cast<std::size_t>(n));
    }
}

// The script opens /dev/stdout as a user who does not own the pipe.
Pipe open_pipe() {
    Pipe pipe = make_pipe();
    check(::fchmod(pipe.write.get(), 0666), "opening a pipe to the script");
    return pipe;
}

ipc::PlanHeader plan_of(const Run& run, const ipc::SandboxLimits& limits, std::string& memory) {
    std::string strings;
    const auto add = [&strings](const std::string& text) {
        strings.append(text.c_str(), text.size() + 1);
    };
    for (const auto& text : run.argv)
        add(text);
    for (const auto& text : run.env)
        add(text);
    add(run.folder);
    std::string files;
    for (const Run::File& file : run.files) {
        append(files, ipc::PlanFile{static_cast<std::uint32_t>(file.name.size() + 1), 0400,
                                    file.content.size()});
        files.append(file.name.c_str(), file.name.size() + 1);
        files += file.content;
    }
    ipc::PlanHeader header;
    header.bytes = sizeof header + strings.size() + files.size();
    header.argc = static_cast<std::uint32_t>(run.argv.size());
    header.envc = static_cast<std::uint32_t>(run.env.size());
    header.filec = static_cast<std::uint32_t>(run.files.size());
    header.strings_bytes = static_cast<std::uint32_t>(strings.size());
    header.limits = limits;
    append(memory, header);
    memory += strings + files;
    return header;
}

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
uid_t own_first_uid() { return 1'000'000 + static_cast<uid_t>(::getpid() % 8192) * 256; }

}  // namespace

Run probe(std::vector<std::string> arguments) {
    Run run;
    run.argv = {"/app/probe"};
    run.argv.insert(run.argv.end(), arguments.begin(), arguments.end());
    return run;
}

std::optional<ipc::PlanFailed> Sandbox::send_plan(const ipc::PlanHeader& packet, Fd memory) {
    Pipe in = open_pipe();
    Pipe out = open_pipe();
    Pipe err = open_pipe();
    const int fds[] = {memory.get(), in.read.get(), out.write.get(), err.write.get()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
    ipc::PlanHeader header = packet;
    iovec part{&header, sizeof header};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fds);
    std::memcpy(CMSG_DATA(rights), fds, sizeof fds);
    check(static_cast<int>(::sendmsg(plan.get(), &message, MSG_NOSIGNAL)), "sending a plan");
    input_ = std::move(in.write);
    output_ = std::move(out.read);
    errors_ = std::move(err.read);
    out.write.reset();
    err.write.reset();

    std::vector<Fd> none;
    const std::string answer = receive(plan.get(), none);
    if (answer.empty()) return {};
    const auto failed = as<ipc::PlanFailed>(answer);
    REQUIRE(failed);
    return failed;
}

std::optional<ipc::PlanFailed> Sandbox::start_with(const ipc::PlanHeader& packet,
                                                   const std::string& memory, bool sealed) {
    Fd file{check(::memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING), "making a plan")};
    REQUIRE(::write(file.get(), memory.data(), memory.size()) ==
            static_cast<ssize_t>(memory.size()));
    if (sealed)
        check(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW),
              "sealing a plan");
    return send_plan(packet, std::move(file));
}

std::optional<ipc::PlanFailed> Sandbox::start(const Run& run) {
    std::string memory;
    const ipc::PlanHeader header = plan_of(run, limits, memory);
    return start_with(header, memory);
}

void Sandbox::signal(int signo) {
    ipc::SignalRequest request;
    request.signo = signo;
    REQUIRE(::send(status.get(), &request, sizeof request, MSG_NOSIGNAL) == sizeof request);
}

std::string Sandbox::read_output(std::size_t bytes) {
    std::string got;
    while (got.size() < bytes) {
        pollfd watched{output_.get(), POLLIN, 0};
        REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
        std::string part(bytes - got.size(), '\0');
        const ssize_t n = ::read(output_.get(), part.data(), part.size());
        if (n <= 0) break;
        got.append(part, 0, static_cast<std::size_t>(n));
    }
    return got;
}

void Sandbox::await_death() {
    pollfd watched{pidfd.get(), POLLIN, 0};
    REQUIRE(::poll(&watched, 1, kDeadlineMs) == 1);
}

Ended Sandbox::finish() {
    Ended ended;
    if (output_) ended.out = read_all(output_.get());
    if (errors_) ended.err = read_all(errors_.get());
    std::vector<Fd> none;
    ended.report = as<ipc::EndReport>(receive(status.get(), none));
    if (ended.report) {
        const ipc::EndReport expected;
        REQUIRE(ended.report->header.magic == expected.header.magic);
        REQUIRE(ended.report->header.record == ipc::Record::ended);
        REQUIRE(receive(status.get(), none).empty());
    }
    await_death();
    return ended;
}

Launcher::Launcher() : Launcher{Options{}} {}

Launcher::Launcher(const Options& options) : folder_{"sandbox-test"}, first_uid_{own_first_uid()} {
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
