#include "bench/daemons.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/crypto.h"
#include "base/error.h"
#include "base/pack.h"
#include "base/text.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using nlohmann::json;

constexpr auto kStartTime = 60s;

// The same ranges, and the same names of them, as the tests have.
constexpr std::uint32_t kFirstRange = 1'879'048'192U + 512;
constexpr std::uint32_t kRanges = 20'000;
constexpr std::uint32_t kRangeSize = 512;

// Held for as long as the descriptor lives: an abstract socket's name goes with it.
Fd claim_range(std::uint32_t range) {
    Fd fd{check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "making a socket")};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto name = fmt::format("berth-test-uids-{}", range);
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const bool taken = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0;
    return taken ? Fd{} : std::move(fd);
}

struct Process {
    pid_t parent = 0;
    std::string name;
    double cpu_ms = 0;  // with its children that have ended
    double resident_mib = 0;
};

// Nothing of a process that has just gone.
Process read_process(const fs::path& proc) {
    std::ifstream file{proc / "stat"};
    std::string line;
    std::getline(file, line);
    Process process;
    const auto open = line.find('('), close = line.rfind(')');
    if (close == std::string::npos) return process;
    process.name = line.substr(open + 1, close - open - 1);
    const auto fields = split(std::string_view{line}.substr(close + 2), ' ');
    const auto number = [&](std::size_t field) {  // as proc(5) counts them
        return to_number<std::int64_t>(fields.at(field - 3)).value_or(0);
    };
    if (fields.size() < 22) return process;
    process.parent = static_cast<pid_t>(number(4));
    process.cpu_ms = static_cast<double>(number(14) + number(15) + number(16) + number(17)) *
                     1000.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
    process.resident_mib = static_cast<double>(number(24) * ::sysconf(_SC_PAGESIZE)) / 1048576.0;
    return process;
}

std::vector<Process> children_of(pid_t parent) {
    std::vector<Process> found;
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        if (!to_number<pid_t>(entry.path().filename().string())) continue;
        Process process = read_process(entry.path());
        if (process.parent == parent) found.push_back(std::move(process));
    }
    return found;
}

}  // namespace

fs::path programs() { return fs::read_symlink("/proc/self/exe").parent_path(); }

Daemons::Daemons(const std::string& settings) {
    fs::permissions(root_.path(), fs::perms{0755});  // the daemons' own users walk through it
    for (auto range = static_cast<std::uint32_t>(::getpid()); !claim_; ++range) {
        claim_ = claim_range(range % kRanges);
        first_uid_ = kFirstRange + range % kRanges * kRangeSize;
    }
    const auto key = root_.path() / "state" / "keys" / "root.key";
    fs::create_directories(key.parent_path());
    write_file_atomically(key, random_bytes(32), 0400);
    std::ofstream{root_.path() / "berth.conf"}
        << fmt::format(
               "state_dir = {0}/state\nrun_dir = {0}/run\nfirst_uid = {1}\ndaemon_uid = {1}\n"
               "runner_uid = {2}\nstop_grace_seconds = 0\nlog_level = warning\n",
               root_.path().string(), first_uid_, first_uid_ + 1)
        << settings;
}

Daemons::~Daemons() { stop(); }

Steady::duration Daemons::start() {
    const auto begin = Steady::now();
    pid_ = check(::fork(), "making a process for berthd");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int out = ::open((root_.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        ::dup2(out, 1);
        ::dup2(out, 2);
        const auto program = (programs() / "berthd").string();
        const auto config = (root_.path() / "berth.conf").string();
        ::execl(program.c_str(), program.c_str(), "--all", "--config", config.c_str(), nullptr);
        ::_exit(127);
    }
    for (;;) {
        const auto ready = client_.get("/v2/ready");
        if (ready && ready->status == 200) return Steady::now() - begin;
        if (Steady::now() - begin > kStartTime)
            throw std::runtime_error{"berthd did not become ready:\n" +
                                     berth::read_file(root_.path() / "log", 1 << 20).value_or("")};
        std::this_thread::sleep_for(1ms);  // asks another process; there is no event to wait for
    }
}

void Daemons::stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

fs::path Daemons::store_dir() const { return root_.path() / "state" / "store"; }

void Daemons::give_store() {
    for (const auto& entry : fs::recursive_directory_iterator{store_dir()})
        check(::lchown(entry.path().c_str(), first_uid_, first_uid_), "giving '{}' to berthd",
              entry.path().string());
}

std::string Daemons::must(std::string_view method, std::string_view target, std::string_view body) {
    auto response = client_.request(method, target, body);
    if (!response) throw std::runtime_error{response.error().message};
    if (!response->ok())
        throw std::runtime_error{
            fmt::format("{} {}: {} {}", method, target, response->status, response->body)};
    return std::move(response->body);
}

std::int64_t Daemons::install(const std::string& name, const fs::path& program,
                              const std::string& line) {
    const TempDir folder{"bench-release"};
    const auto release = folder.path() / "release";
    fs::create_directory(release);
    fs::copy_file(program, release / "program");
    std::ofstream{release / "PANDIUM.yaml"} << "version: 1.0\nbase: sh\nrun: " << json(line).dump()
                                            << "\nconfigs: {}\n";
    const auto tar = folder.path() / "release.tar";
    {
        const Fd out{check(::open(tar.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), "making '{}'",
                           tar.string())};
        if (auto packed = pack_directory(release, out.get()); !packed)
            throw std::runtime_error{packed.error().message};
    }
    const auto integration =
        json::parse(must("POST", "/v2/integrations", json{{"name", name}}.dump()))["id"]
            .get<std::int64_t>();
    const Fd in{check(::open(tar.c_str(), O_RDONLY | O_CLOEXEC), "opening '{}'", tar.string())};
    const auto sent = client_.upload(
        "POST", fmt::format("/v2/integrations/{}/releases?default=true", integration), in.get(),
        "application/x-tar");
    if (!sent || !sent->ok())
        throw std::runtime_error{"cannot upload the bench's release: " +
                                 (sent ? sent->body : sent.error().message)};
    return integration;
}

std::int64_t Daemons::add_tenant(std::int64_t integration, const std::string& name) {
    const json wanted{{"name", name}, {"integration_id", integration}};
    return json::parse(must("POST", "/v2/tenants", wanted.dump()))["id"].get<std::int64_t>();
}

double Daemons::metric(std::string_view name) {
    const auto text = must("GET", "/metrics");
    for (const auto& line : split(text, '\n'))
        if (line.starts_with(name) && line[name.size()] == ' ')
            return to_number<double>(line.substr(name.size() + 1)).value_or(-1);
    throw std::runtime_error{fmt::format("/metrics has no '{}'", name)};
}

std::map<std::string, double> Daemons::cpu_ms() const {
    std::map<std::string, double> found;
    for (const Process& process : children_of(pid_))
        found[process.name] += process.cpu_ms;
    return found;
}

std::map<std::string, double> Daemons::resident_mib() const {
    std::map<std::string, double> found;
    for (const Process& process : children_of(pid_))
        found[process.name] += process.resident_mib;
    return found;
}

}  // namespace berth::bench
