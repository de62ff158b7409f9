#include "bench/sandboxed.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

#include "base/error.h"
#include "base/pipe.h"
#include "sandbox/runner/plan.h"
#include "sandbox/runner/record.h"

extern char** environ;

namespace berth::bench {
namespace {

constexpr int kPatienceMs = 30'000;  // for hangs only

void await_readable(int fd, const char* what) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (check(::poll(&waiting, 1, kPatienceMs), "polling") == 0)
        throw std::runtime_error{fmt::format("the benchmark waited too long for {}", what)};
}

runner::Packet await_packet(const Fd& socket, const char* what) {
    await_readable(socket.get(), what);
    return runner::receive_packet(socket.get());
}

template <typename R>
R await_record(const Fd& socket, ipc::Record kind, const char* what) {
    const auto record = await_packet(socket, what).as<R>(kind);
    if (!record) throw std::runtime_error{fmt::format("{} did not come", what)};
    return *record;
}

void await_byte(const Fd& pipe) {
    char byte;
    await_readable(pipe.get(), "the first byte");
    if (check(::read(pipe.get(), &byte, 1), "reading") != 1)
        throw std::runtime_error{"the program ended without its first byte"};
}

pid_t spawn(const std::vector<std::string>& argv, int from, int to) {
    std::vector<char*> pointers;
    for (const auto& argument : argv)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, from, to);
    pid_t pid = -1;
    const int err = ::posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (err != 0) throw SystemError{err, fmt::format("starting '{}'", argv[0])};
    return pid;
}

}  // namespace

Launcher::Launcher(const std::string& launcher, const std::filesystem::path& program,
                   unsigned pool) {
    namespace fs = std::filesystem;
    const auto release = folder_.path() / "releases" / "bench";
    fs::create_directories(release);
    fs::copy_file(program, release / "program");
    for (const auto& path : {folder_.path(), release.parent_path(), release, release / "program"})
        check(::chmod(path.c_str(), 0755), "opening '{}' to all", path.string());

    auto pair = make_seqpacket_pair();
    constexpr int kFd = 3;
    // dup2 onto itself would leave it close-on-exec.
    if (pair.b.get() == kFd)
        pair.b = Fd{check(::fcntl(kFd, F_DUPFD_CLOEXEC, kFd + 1), "moving a socket")};
    pid_ = spawn(
        {launcher, "--runner-fd", std::to_string(kFd), "--runner-uid", "0", "--releases",
         release.parent_path().string(), "--first-uid", pool == 0 ? "1879048192" : "1879050000",
         "--slots", "64", "--cgroups", "none", "--pool", std::to_string(pool)},
        pair.b.get(), kFd);
    pair.b.reset();
    socket_ = std::move(pair.a);
    hello_ = await_record<ipc::Hello>(socket_, ipc::Record::hello, "the launcher's hello");
}

Launcher::~Launcher() {
    socket_.reset();  // the end of its work
    ::waitpid(pid_, nullptr, 0);
}

// Parked ones that come meanwhile are kept.
runner::Packet Launcher::next_sandbox(std::uint64_t id) {
    for (;;) {
        auto packet = await_packet(socket_, "a sandbox");
        if (packet.as<ipc::Attached>(ipc::Record::attached)) continue;
        const auto reply = packet.as<ipc::Ready>(ipc::Record::ready);
        if (!reply || reply->step != ipc::Step::none || packet.descriptors.size() < 3)
            throw SystemError{reply ? reply->err : EPROTO,
                              reply ? ipc::step_text(reply->step) : "building a sandbox"};
        if (reply->id == id) return packet;
        parked_.push_back(std::move(packet));
    }
}

// Until the pool is full, so that no replacement is on its way while a start is timed.
void Launcher::await_parked() {
    while (parked_.size() < hello_.pool_size)
        parked_.push_back(next_sandbox(0));
}

runner::Packet Launcher::ask(const ipc::BuildRequest& request) {
    if (parked_.empty()) {
        ipc::BuildRequest build = request;
        build.id = next_id_++;
        if (const int err = runner::send_record(socket_.get(), build); err != 0)
            throw SystemError{err, "asking for a sandbox"};
        return next_sandbox(build.id);
    }
    auto parked = std::move(parked_.front());
    parked_.pop_front();
    const auto reply = parked.as<ipc::Ready>(ipc::Record::ready);
    ipc::TakeRequest take;
    take.slot = reply->slot;
    take.serial = reply->serial;
    take.assignment = request.assignment;
    if (const int err = runner::send_record(socket_.get(), take); err != 0)
        throw SystemError{err, "taking a sandbox"};
    return parked;
}

Times Launcher::run(const std::vector<std::string>& argv, ipc::Network network) {
    ipc::Start start;
    start.run_id = 1;
    start.argv = argv;
    start.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/work"};
    start.runtime = "host";
    start.release = "bench";
    start.memory_bytes = std::uint64_t{512} << 20;
    start.network = static_cast<std::uint32_t>(network);
    start.wall_time_s = 60;
    if (hello_.pool_size > 0) await_parked();

    const auto begin = Steady::now();
    // The plan is made here as the runner makes it: it is part of a start.
    auto plan = runner::make_plan(start, {});
    auto request = runner::make_build_request(start);
    if (!plan || !request)
        throw std::runtime_error{!plan ? plan.error().message : request.error().message};
    const runner::Packet built = ask(*request);
    const Fd& plan_socket = built.descriptors[0];
    const Fd& status = built.descriptors[1];

    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
    const int handed[] = {plan->memfd.get(), in.read.get(), out.write.get(), err.write.get()};
    if (const int refused = runner::send_record(plan_socket.get(), plan->header, handed);
        refused != 0)
        throw SystemError{refused, "sending the plan"};
    for (Fd* ours : {&in.read, &in.write, &out.write, &err.write})
        ours->reset();
    await_byte(out.read);
    Times times{.first_byte = Steady::now() - begin};
    const auto report = await_record<ipc::EndReport>(status, ipc::Record::ended, "the end report");
    times.end = Steady::now() - begin;
    if (report.wait_status != 0) throw std::runtime_error{"the program failed in the sandbox"};
    // Its uid pair is free again only when the kernel has cleared it all away.
    await_readable(built.descriptors[2].get(), "the sandbox's end");
    return times;
}

Times run_bare(const std::vector<std::string>& argv) {
    const auto begin = Steady::now();
    Pipe out = make_pipe();
    const pid_t pid = spawn(argv, out.write.get(), STDOUT_FILENO);
    out.write.reset();
    await_byte(out.read);
    Times times{.first_byte = Steady::now() - begin};
    int status = 0;
    check(::waitpid(pid, &status, 0), "waiting for '{}'", argv[0]);
    times.end = Steady::now() - begin;
    if (status != 0) throw std::runtime_error{fmt::format("'{}' failed", argv[0])};
    return times;
}

}  // namespace berth::bench
