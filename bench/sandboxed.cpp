#include "bench/sandboxed.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/pipe.h"
#include "sandbox/runner/plan.h"

namespace berth::bench {
namespace {

constexpr unsigned kLeastSlots = 64;

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

// Several launchers at a time must not share users.
unsigned next_first_uid(unsigned slots) {
    static unsigned next = 1879048192;
    return std::exchange(next, next + 2 * slots);
}

}  // namespace

LauncherProcess::LauncherProcess(const std::string& launcher, const std::filesystem::path& program,
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
    const unsigned slots = std::max(kLeastSlots, 4 * pool);
    Command command{{launcher, "--runner-fd", std::to_string(kFd), "--runner-uid", "0",
                     "--releases", release.parent_path().string(), "--first-uid",
                     std::to_string(next_first_uid(slots)), "--slots", std::to_string(slots),
                     "--cgroups", "none", "--pool", std::to_string(pool)}};
    command.errors = errors_file();
    pid_ = spawn(command, pair.b, kFd);
    pair.b.reset();
    socket_ = std::move(pair.a);
}

std::string LauncherProcess::errors_file() const { return (folder_.path() / "errors").string(); }

std::string LauncherProcess::errors() const {
    std::ifstream file{errors_file()};
    return {std::istreambuf_iterator<char>{file}, {}};
}

LauncherProcess::~LauncherProcess() {
    if (pid_ > 0) end();
}

std::chrono::microseconds LauncherProcess::end() {
    socket_.reset();  // the end of its work
    rusage usage{};
    ::wait4(std::exchange(pid_, -1), nullptr, 0, &usage);
    const auto time = [](const timeval& t) {
        return std::chrono::seconds{t.tv_sec} + std::chrono::microseconds{t.tv_usec};
    };
    return time(usage.ru_utime) + time(usage.ru_stime);
}

ipc::Start start_message(const std::vector<std::string>& argv, ipc::Network network) {
    ipc::Start start;
    start.run_id = 1;
    start.argv = argv;
    start.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/work"};
    start.runtime = "host";
    start.release = "bench";
    start.memory_bytes = std::uint64_t{512} << 20;
    start.network = static_cast<std::uint32_t>(network);
    start.wall_time_s = 60;
    return start;
}

Launcher::Launcher(const std::string& launcher, const std::filesystem::path& program, unsigned pool)
    : process_{launcher, program, pool} {
    const auto hello =
        await_packet(process_.socket(), "the launcher's hello").as<ipc::Hello>(ipc::Record::hello);
    if (!hello) throw std::runtime_error{process_.errors()};
    hello_ = *hello;
}

// Parked ones that come meanwhile are kept.
runner::Packet Launcher::next_sandbox(std::uint64_t id) {
    for (;;) {
        auto packet = await_packet(process_.socket(), "a sandbox");
        if (packet.as<ipc::Attached>(ipc::Record::attached)) continue;
        const auto reply = packet.as<ipc::Ready>(ipc::Record::ready);
        if (!reply || reply->step != ipc::Step::none || packet.descriptors.size() < 3)
            throw SystemError{reply ? reply->err : EPROTO,
                              reply ? ipc::step_text(reply->step) : "building a sandbox"};
        last_build_ = std::chrono::microseconds{reply->build_us};
        if (reply->id == id) return packet;
        parked_.push_back(std::move(packet));
    }
}

void Launcher::await_parked() {
    while (parked_.size() < hello_.pool_size)
        parked_.push_back(next_sandbox(0));
}

runner::Packet Launcher::ask(const ipc::BuildRequest& request) {
    if (parked_.empty()) {
        ipc::BuildRequest build = request;
        build.id = next_id_++;
        if (const int err = runner::send_record(process_.socket().get(), build); err != 0)
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
    if (const int err = runner::send_record(process_.socket().get(), take); err != 0)
        throw SystemError{err, "taking a sandbox"};
    return parked;
}

std::chrono::microseconds Launcher::end() {
    parked_.clear();
    return process_.end();
}

Times Launcher::run(const std::vector<std::string>& argv, ipc::Network network) {
    ++started_;
    const ipc::Start start = start_message(argv, network);
    await_parked();

    const auto begin = Steady::now();
    // As the runner does it: a parked sandbox is taken first, then the plan is made.
    auto request = runner::make_build_request(start);
    if (!request) throw std::runtime_error{request.error().message};
    const runner::Packet built = ask(*request);
    auto plan = runner::make_plan(start, {});
    if (!plan) throw std::runtime_error{plan.error().message};
    const Fd& plan_socket = built.descriptors[0];
    const Fd& status = built.descriptors[1];

    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
    if (const int refused = runner::send_plan(plan_socket.get(), *plan,
                                              {in.read.get(), out.write.get(), err.write.get()});
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

}  // namespace berth::bench
