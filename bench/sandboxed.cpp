#include "bench/sandboxed.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/loop/timer.h"
#include "base/pipe.h"
#include "sandbox/runner/plan.h"

namespace berth::bench {
namespace {

constexpr unsigned kLeastSlots = 64;

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

ipc::Start start_message(const std::vector<std::string>& argv, ipc::Network network,
                         std::uint64_t kind) {
    constexpr std::uint64_t kPage = 4096;
    ipc::Start start;
    start.run_id = 1;
    start.argv = argv;
    start.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/work"};
    start.runtime = "host";
    start.release = "bench";
    start.memory_bytes = (std::uint64_t{512} << 20) + kind * kPage;
    start.network = static_cast<std::uint32_t>(network);
    start.wall_time_s = 60;
    return start;
}

Launcher::Launcher(const std::string& launcher, const std::filesystem::path& program, Found found,
                   unsigned pool)
    : process_{launcher, program, pool},
      found_{found},
      client_{loop_,
              clock_,
              {.on_hello = [] {},
               .on_gone = [this](const std::string& why) { trouble_ = why + process_.errors(); },
               .on_pool = [] {}}} {
    client_.attach(process_.take_socket());
    turn_until("the launcher's hello", [this] { return client_.hello().has_value(); });
}

void Launcher::turn_until(const char* what, const std::function<bool()>& there) {
    constexpr std::chrono::seconds kPatience{30};  // for hangs only
    bool late = false;
    Timer timer{loop_, [&] { late = true; }};
    timer.start(kPatience);
    while (!there()) {
        if (!trouble_.empty()) throw std::runtime_error{trouble_};
        if (late) throw std::runtime_error{fmt::format("waited too long for {}", what)};
        uv_run(loop_.raw(), UV_RUN_ONCE);
    }
}

void Launcher::await_parked() {
    turn_until("the pool to be full",
               [this] { return client_.pool().parked == client_.hello()->pool_size; });
}

// Each start leaves a wish for the next one; the first finds none.
void Launcher::await_complete(const ipc::BuildRequest& request) {
    if (started_ == 1) (void)client_.take(request);
    turn_until("a complete sandbox", [this] { return client_.pool().complete > 0; });
}

runner::Sandbox Launcher::sandbox_for(const ipc::BuildRequest& request) {
    if (auto taken = client_.take(request)) {
        if ((found_ == Found::complete) != (taken->id == 0))
            throw std::runtime_error{"the start found another sandbox than it should"};
        return std::move(taken->sandbox);
    }
    std::optional<runner::BuildResult> built;
    client_.build(request, [&](runner::BuildResult result) { built = std::move(result); });
    turn_until("a sandbox", [&] { return built.has_value(); });
    if (const auto* failed = std::get_if<runner::BuildFailed>(&*built))
        throw SystemError{failed->err, failed->text};
    return std::move(std::get<runner::Sandbox>(*built));
}

std::chrono::microseconds Launcher::end() {
    client_.detach();
    return process_.end();
}

Times Launcher::run(const std::vector<std::string>& argv, ipc::Network network) {
    ++started_;
    const ipc::Start start =
        start_message(argv, network, found_ == Found::parked ? started_ : std::uint64_t{0});
    if (found_ == Found::complete) await_complete(runner::make_build_request(start).value());
    await_parked();

    const auto begin = Steady::now();
    // As the runner does it: a sandbox is taken first, then the plan is made.
    auto request = runner::make_build_request(start);
    if (!request) throw std::runtime_error{request.error().message};
    const runner::Sandbox sandbox = sandbox_for(*request);
    auto plan = runner::make_plan(start, {});
    if (!plan) throw std::runtime_error{plan.error().message};

    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
    if (const int refused = runner::send_plan(sandbox.plan.get(), *plan,
                                              {in.read.get(), out.write.get(), err.write.get()});
        refused != 0)
        throw SystemError{refused, "sending the plan"};
    for (Fd* ours : {&in.read, &in.write, &out.write, &err.write})
        ours->reset();
    await_byte(out.read);
    Times times{.first_byte = Steady::now() - begin};
    await_readable(sandbox.status.get(), "the end report");
    const auto report =
        runner::receive_packet(sandbox.status.get()).as<ipc::EndReport>(ipc::Record::ended);
    times.end = Steady::now() - begin;
    if (!report || report->wait_status != 0)
        throw std::runtime_error{"the program failed in the sandbox"};
    // Its uid pair is free again only when the kernel has cleared it all away.
    await_readable(sandbox.pidfd.get(), "the sandbox's end");
    return times;
}

}  // namespace berth::bench
