#include "bench/queue_peers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/pipe.h"
#include "base/text.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

constexpr auto kStartTime = 30s;

std::vector<char*> pointers_to(const Words& words) {
    std::vector<char*> pointers;
    for (const auto& word : words)
        pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

// A program with its stdout in `out`, in `folder`.
pid_t begin(const Words& argv, const fs::path& folder, int out, const Words& more_env = {},
            int errors = STDERR_FILENO) {
    Words environment{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"};
    environment.insert(environment.end(), more_env.begin(), more_env.end());
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    pid_t pid = -1;
    const int err = ::posix_spawnp(&pid, argv[0].c_str(), &actions, nullptr,
                                   pointers_to(argv).data(), pointers_to(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (err != 0) throw SystemError{err, fmt::format("starting '{}'", argv[0])};
    return pid;
}

// What it printed; throws when it failed.
std::string output_of(const Words& argv, const fs::path& folder, const Words& more_env = {}) {
    Pipe pipe = make_pipe();
    const pid_t pid = begin(argv, folder, pipe.write.get(), more_env);
    pipe.write.reset();
    std::string text;
    char buffer[16 * 1024];
    while (const auto got = check(::read(pipe.read.get(), buffer, sizeof buffer), "reading"))
        text.append(buffer, static_cast<std::size_t>(got));
    int status = 0;
    check(::waitpid(pid, &status, 0), "waiting for '{}'", argv[0]);
    if (status != 0) throw std::runtime_error{fmt::format("'{}' failed", argv[0])};
    return text;
}

// Processor time of all that was started here and has ended.
double ended_ms() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto ms = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
    };
    return ms(usage.ru_utime) + ms(usage.ru_stime);
}

// A database server in a folder of its own, spoken to through a socket there.
class Server {
public:
    Server(const Words& argv, const fs::path& folder, const fs::path& socket)
        : log_{check(::open((folder / "log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600),
                     "making a log")},
          pid_{begin(argv, folder, log_.get(), {}, log_.get())} {
        for (const auto began = Steady::now(); !fs::exists(socket);) {
            if (Steady::now() - began > kStartTime)
                throw std::runtime_error{fmt::format("'{}' did not start", argv[0])};
            std::this_thread::sleep_for(5ms);  // another program; there is no event to wait for
        }
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ::kill(pid_, SIGINT);  // PostgreSQL: end at once, in order
        ::waitpid(pid_, nullptr, 0);
    }

private:
    Fd log_;
    pid_t pid_;
};

struct Asked {
    fs::path driver, modules, program;
    int starts, sustained, in_flight;
};

// What the driver measured with a database server that is there as long as this takes.
PeerFigures drive(const Asked& asked, const Words& server, const fs::path& folder,
                  const fs::path& socket, const fs::path& address) {
    json told;
    const double before = ended_ms();
    double driver_ms = 0;
    {
        const Server database{server, folder, socket};
        const double driver_before = ended_ms();
        told = json::parse(
            output_of({"node", asked.driver.string(), address.string(), asked.program.string(),
                       std::to_string(asked.starts), std::to_string(asked.sustained),
                       std::to_string(asked.in_flight)},
                      asked.modules));
        driver_ms = ended_ms() - driver_before;
    }
    const double database_ms = ended_ms() - before - driver_ms;
    return {told["first_byte_us"].get<std::vector<double>>(), told["per_second"],
            told["cpu_ms"].get<double>() / asked.sustained +
                database_ms / (asked.starts + asked.sustained)};
}

QueuePeer bullmq(const std::string& fsync, const std::string& durable, const fs::path& modules,
                 const fs::path& drivers, const fs::path& program) {
    return {"BullMQ, Redis AOF " + fsync, durable, "no", [=](int starts, int sustained, int many) {
                const TempDir folder{"redis-bench"};
                const auto socket = folder.path() / "socket";
                return drive({drivers / "bullmq.cjs", modules, program, starts, sustained, many},
                             {"redis-server", "--port", "0", "--unixsocket", socket.string(),
                              "--dir", folder.path().string(), "--save", "", "--appendonly", "yes",
                              "--appendfsync", fsync},
                             folder.path(), socket, socket);
            }};
}

// It refuses to run as root. setpriv becomes the program, so that signals reach it.
Words as_postgres(Words argv) {
    Words all{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"};
    all.insert(all.end(), argv.begin(), argv.end());
    return all;
}

QueuePeer graphile(const fs::path& server, const fs::path& modules, const fs::path& drivers,
                   const fs::path& program) {
    return {"graphile-worker, PostgreSQL", "yes, trigger and record", "no",
            [=](int starts, int sustained, int many) {
                const TempDir folder{"pg-bench"};
                const passwd* user = ::getpwnam("postgres");
                if (user == nullptr) throw std::runtime_error{"there is no user 'postgres'"};
                check(::chown(folder.path().c_str(), user->pw_uid, user->pw_gid), "giving '{}'",
                      folder.path().string());
                const auto data = (folder.path() / "data").string();
                (void)output_of(as_postgres({(server / "initdb").string(), "-D", data, "-A",
                                             "trust", "-U", "postgres"}),
                                folder.path());
                return drive({drivers / "graphile.cjs", modules, program, starts, sustained, many},
                             as_postgres({(server / "postgres").string(), "-D", data, "-c",
                                          "listen_addresses=", "-c", "shared_buffers=256MB", "-k",
                                          folder.path().string()}),
                             folder.path(), folder.path() / ".s.PGSQL.5432", folder.path());
            }};
}

// task-spooler: a server of its own, told by a client for each program.
class Spooler {
public:
    explicit Spooler(int in_flight)
        : environment_{"TS_SOCKET=" + (folder_.path() / "socket").string(),
                       "TMPDIR=" + folder_.path().string()} {
        (void)call({"-S", std::to_string(in_flight)});
    }
    ~Spooler() { (void)call({"-K"}); }

    std::string add(const fs::path& program) { return call({program.string()}); }
    std::string line_of(const std::string& id) {
        (void)call({"-w", id});
        return call({"-c", id});
    }

private:
    std::string call(const Words& arguments) {
        Words argv{"tsp"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return std::string{trim(output_of(argv, folder_.path(), environment_))};
    }

    TempDir folder_{"tsp-bench"};
    Words environment_;
};

PeerFigures measure_spooler(const fs::path& program, int starts, int sustained, int in_flight) {
    PeerFigures figures;
    Spooler spooler{in_flight};
    for (int i = 0; i < starts; ++i) {
        const auto begin = Steady::now().time_since_epoch();
        const auto line = spooler.line_of(spooler.add(program));
        const auto began = std::chrono::nanoseconds{to_number<std::int64_t>(line).value_or(0)};
        figures.first_byte_us.push_back(
            std::chrono::duration<double, std::micro>{began - begin}.count());
    }
    const auto begin = Steady::now();
    std::vector<std::string> ids;
    for (int i = 0; i < sustained; ++i)
        ids.push_back(spooler.add(program));
    (void)spooler.line_of(ids.back());
    figures.per_second = sustained / std::chrono::duration<double>{Steady::now() - begin}.count();
    return figures;
}

}  // namespace

std::vector<QueuePeer> queue_peers(const fs::path& modules, const fs::path& drivers,
                                   const fs::path& program) {
    std::vector<QueuePeer> peers;
    const auto has = [&](const char* module) {
        return fs::exists(modules / "node_modules" / module);
    };
    if (has("bullmq") && !program_on_path("redis-server").empty())
        for (const auto& [fsync, durable] : {std::pair{"everysec", "no: may lose the last second"},
                                             std::pair{"always", "yes, trigger and record"}})
            peers.push_back(bullmq(fsync, durable, modules, drivers, program));
    const fs::path server{"/usr/lib/postgresql/15/bin"};
    if (has("graphile-worker") && fs::exists(server / "postgres"))
        peers.push_back(graphile(server, modules, drivers, program));
    if (!program_on_path("tsp").empty())
        peers.push_back({"task-spooler", "no", "no", [=](int starts, int sustained, int many) {
                             return measure_spooler(program, starts, sustained, many);
                         }});
    return peers;
}

}  // namespace berth::bench
