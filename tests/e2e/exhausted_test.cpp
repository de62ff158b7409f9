// The real daemons without descriptors and without processes: whoever asks for its state is
// answered, nobody spins, what was begun ends on record, and all goes on by itself later.
// BERTH_CLIENTS: how many connect.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/pipe.h"
#include "base/text.h"
#include "tests/e2e/counting.h"
#include "tests/support/needs_sandbox.h"

using namespace berth::test;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr rlim_t kFew = 256;
constexpr uid_t kNobody = 1'879'000'000;  // a user of no group that may ask

int clients() {
    const char* given = std::getenv("BERTH_CLIENTS");
    return given == nullptr ? 10'000 : berth::to_number<int>(given).value();
}

berth::Fd connect_to(const std::filesystem::path& socket) {
    berth::Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd) return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    std::copy(path.begin(), path.end(), address.sun_path);
    const bool made =
        ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    return made ? std::move(fd) : berth::Fd{};
}

// Clients in a process of their own, which begin a request and never end it. They hold on to
// what they have until this is destroyed.
class Flood {
public:
    Flood(const std::filesystem::path& socket, int count, uid_t uid) {
        berth::Pipe told = berth::make_pipe();
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            run(socket, count, uid, told.write.get());
        }
        told_ = std::move(told.read);
    }
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;
    ~Flood() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    // All have been there; those that were not hung up on still are.
    bool complete() const {
        pollfd waiting{told_.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 0) == 1;
    }

private:
    [[noreturn]] static void run(const std::filesystem::path& socket, int count, uid_t uid,
                                 int told) {
        constexpr std::string_view kHead = "GET /up HTTP/1.1\r\nHost: b\r\nX-Slow: ";
        rlimit files{};
        ::getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
        if (::setresuid(uid, uid, uid) != 0) ::_exit(1);
        std::vector<berth::Fd> open;
        while (count > 0) {
            berth::Fd one = connect_to(socket);
            if (one) {
                --count;
                (void)!::send(one.get(), kHead.data(), kHead.size(), MSG_NOSIGNAL);
                open.push_back(std::move(one));
                continue;
            }
            // As many wait as may, or as this process may have.
            std::erase_if(open, [](const berth::Fd& fd) {
                pollfd hung_up{fd.get(), POLLRDHUP, 0};
                return ::poll(&hung_up, 1, 0) != 0;
            });
            ::poll(nullptr, 0, 1);
        }
        (void)!::write(told, "", 1);
        for (;;)
            ::pause();
    }

    pid_t pid_ = -1;
    berth::Fd told_;
};

// Of processor time so far, in seconds.
double cpu_of(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/stat", pid)};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto fields = berth::split(text.substr(text.rfind(')') + 2), ' ');
    return (std::stod(std::string{fields[11]}) + std::stod(std::string{fields[12]})) /
           static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// Of the supervisor, and so of what it starts: a right over others' processes is not needed.
void limit(pid_t pid, __rlimit_resource what, rlim_t most) {
    const rlimit both{most, most};
    REQUIRE(::prlimit(pid, what, &both, nullptr) == 0);
}

// `name` as /proc/PID/limits has it.
rlim_t limit_of(pid_t pid, const std::string& name) {
    std::ifstream file{fmt::format("/proc/{}/limits", pid)};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name)) return std::stoull(line.substr(26));
    FAIL("no limit '" << name << "'");
    return 0;
}

struct Answered {
    std::vector<double> ms;
    int refused = 0;  // or hung up on
    double median() {
        std::ranges::sort(ms);
        return ms.empty() ? 0 : ms[ms.size() / 2];
    }
};

// Asks as somebody who comes anew, as `berth` does.
void ask(Daemon& daemon, Answered& answered) {
    const auto from = steady_clock::now();
    berth::Client client{daemon.socket(), {180s, 180s, 1 << 20}};
    const auto answer = client.get("/v2/health");
    if (!answer || answer->status != 200) {
        ++answered.refused;
        return;
    }
    answered.ms.push_back(
        std::chrono::duration<double, std::milli>(steady_clock::now() - from).count());
}

// A group of ours that limits processes, if this host has such; not of any sandbox.
class FewProcesses {
public:
    explicit FewProcesses(pid_t pid) {
        std::ifstream groups{"/proc/self/cgroup"};
        for (std::string line; std::getline(groups, line);)
            if (const auto at = line.find(":pids:"); at != line.npos)
                parent_ = "/sys/fs/cgroup/pids" + line.substr(at + 6);
        group_ = parent_ / fmt::format("berth-test-{}", ::getpid());
        std::error_code none;
        if (parent_.empty() || !std::filesystem::create_directory(group_, none)) return;
        there_ = true;
        put(group_ / "cgroup.procs", std::to_string(pid));
        put(group_ / "pids.max", "1");
        pid_ = pid;
    }
    FewProcesses(const FewProcesses&) = delete;
    FewProcesses& operator=(const FewProcesses&) = delete;
    ~FewProcesses() {
        if (!there_) return;
        put(parent_ / "cgroup.procs", std::to_string(pid_));
        eventually([this] { return ::rmdir(group_.c_str()) == 0; }, 10s);
    }
    bool there() const { return there_; }

private:
    static void put(const std::filesystem::path& file, const std::string& text) {
        std::ofstream{file} << text << std::flush;
    }
    std::filesystem::path parent_, group_;
    pid_t pid_ = -1;
    bool there_ = false;
};

}  // namespace

TEST_CASE("with 256 descriptors and thousands of clients berthd answers whoever may ask", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    const int count = clients();
    Daemon daemon{"pool_size = 0\n"};
    // From now on, for the next berthd.
    limit(daemon.supervisor(), RLIMIT_NOFILE, kFew);
    daemon.kill_daemon("berthd");
    daemon.wait_ready();
    const pid_t berthd = daemon.pid_of("berthd");
    REQUIRE(limit_of(berthd, "Max open files") == kFew);

    const auto live =
        daemon.install("live", {{"PANDIUM.yaml", manifest(counting_script(1, "0.2"))}});
    const Script script = start_script(daemon, live.tenant);
    Answered idle, flooded, held;
    for (int i = 0; i < 20; ++i)
        ask(daemon, idle);
    {
        const Flood strangers{daemon.socket(), count / 2, kNobody};
        const Flood anybody{daemon.root() / "run" / "public.sock", count / 2, kNobody};
        const bool all = eventually([&] {
            for (int i = 0; i < 5; ++i)
                ask(daemon, flooded);
            return strangers.complete() && anybody.complete();
        });
        REQUIRE(all);

        // Nobody new comes; those that were let in say nothing.
        const double cpu = cpu_of(berthd);
        const auto from = steady_clock::now();
        std::this_thread::sleep_for(3s);  // the time that is measured
        const std::chrono::duration<double> took = steady_clock::now() - from;
        const double busy = (cpu_of(berthd) - cpu) / took.count();
        for (int i = 0; i < 20; ++i)
            ask(daemon, held);
        wait_for_more(daemon, script.run);  // what was begun goes on
        std::cout << fmt::format(
            "{} clients, {} descriptors: an answer after {:.1f} ms (median) when idle, {:.1f} "
            "while "
            "they came ({} asked), {:.1f} while they stayed; berthd took {:.1f} % of a processor "
            "then\n",
            count, kFew, idle.median(), flooded.median(), flooded.ms.size(), held.median(),
            busy * 100);
        CHECK(busy < 0.2);
        CHECK(flooded.refused == 0);
        CHECK(held.refused == 0);
        const auto accepted = daemon.sync(live.tenant);  // and new work is taken
        let_go(daemon);
        CHECK(daemon.wait_run(accepted)["state"] == "succeeded");
    }
    check_whole(daemon, script);
    CHECK(daemon.run(live.tenant)["state"] == "succeeded");
    CHECK(daemon.pid_of("berthd") == berthd);
}

TEST_CASE("where no process can be made runs fail by name, and go on when one can", "[e2e]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install("quick", {{"PANDIUM.yaml", manifest("echo ok")}});
    CHECK(daemon.run(made.tenant)["state"] == "succeeded");
    // From now on, for the next ones, each of which has a user of its own: none needs another
    // process or thread than those it has when it serves.
    const auto threads =
        std::filesystem::directory_iterator{fmt::format("/proc/{}/task", daemon.pid_of("berthd"))};
    const auto most = static_cast<rlim_t>(std::distance(begin(threads), end(threads)));
    limit(daemon.supervisor(), RLIMIT_NPROC, most);
    for (const char* program : {"berth-runner", "berthd"})
        daemon.kill_daemon(program);
    daemon.wait_ready();
    const pid_t berthd = daemon.pid_of("berthd");
    REQUIRE(limit_of(berthd, "Max processes") == most);
    CHECK(daemon.run(made.tenant)["state"] == "succeeded");
    {
        const FewProcesses one{daemon.pid_of("berth-launcher")};
        if (!one.there()) {
            std::cout << "no cgroup for processes here: the launcher keeps its own\n";
            return;
        }
        const double cpu = cpu_of(berthd) + cpu_of(daemon.pid_of("berth-launcher"));
        const auto from = steady_clock::now();
        const json run = daemon.run(made.tenant);
        INFO(run.dump());
        CHECK(run["state"] == "failed_platform");
        CHECK(run["reason"].get<std::string>().find("Resource temporarily unavailable") !=
              std::string::npos);
        CHECK(daemon.request("GET", "/v2/health").status == 200);
        std::this_thread::sleep_for(2s);  // the time that is measured
        const std::chrono::duration<double> took = steady_clock::now() - from;
        const double busy =
            (cpu_of(berthd) + cpu_of(daemon.pid_of("berth-launcher")) - cpu) / took.count();
        std::cout << fmt::format("without processes: {:.1f} % of a processor\n", busy * 100);
        CHECK(busy < 0.5);
    }
    CHECK(daemon.run(made.tenant)["state"] == "succeeded");
    CHECK(daemon.pid_of("berthd") == berthd);
    CHECK(daemon.nothing_sandboxed());
}
