// Starting, stopping and asking the real daemons; see the header.
#include "tests/support/daemon_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <fstream>
#include <thread>

#include "base/crypto.h"
#include "base/pack.h"
#include "base/text.h"

namespace berth::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kStartTime = 180s;  // generous: two cores, sanitizers, other tests beside us
constexpr auto kRunTime = 240s;

constexpr std::uint32_t kFirstRange = 1'879'048'192U + 512;  // what lies before is `berth init`'s
constexpr std::uint32_t kRanges = 20'000;
constexpr std::uint32_t kRangeSize = 512;  // 16 for the daemons, then the sandboxes'

// Takes `range` for as long as the descriptor lives: an abstract socket's name goes
// with its owner, also when a test is killed.
Fd claim_range(std::uint32_t range) {
    Fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    REQUIRE(fd);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto name = fmt::format("berth-test-uids-{}", range);
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    const bool taken = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0;
    return taken ? Fd{} : std::move(fd);
}

std::string slurp(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::string status_field(const fs::path& proc, const std::string& name) {
    std::ifstream file{proc / "status"};
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(name + ":")) return std::string{trim(line.substr(name.size() + 1))};
    return {};
}

template <typename Visit>
void each_process(Visit visit) {
    for (const auto& entry : fs::directory_iterator{"/proc"}) {
        const auto pid = to_number<pid_t>(entry.path().filename().string());
        if (pid) visit(*pid, entry.path());
    }
}

}  // namespace

bool eventually(const std::function<bool()>& is_true, std::chrono::milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    for (;;) {
        if (is_true()) return true;
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(10ms);  // asks another process; there is no event to wait for
    }
}

fs::path programs() {
    const char* given = std::getenv("BERTH_PROGRAMS");
    return given != nullptr ? given : BERTH_BINARY_DIR "/bin";
}

std::string manifest(const std::string& command, const std::string& more) {
    return "version: 1.0\nbase: sh\nrun: " + json(command).dump() + "\n" + more;
}

Daemon::Daemon(std::string settings) : own_root_{"berth-e2e"}, root_{own_root_->path()} {
    prepare(settings);
    start();
}

Daemon::Daemon(const fs::path& root, std::string settings) : root_{root} { prepare(settings); }

void Daemon::prepare(const std::string& settings) {
    fs::permissions(root_, fs::perms{0755});  // the daemons' own users walk through it
    for (auto range = static_cast<std::uint32_t>(::getpid()); !claim_; ++range) {
        claim_ = claim_range(range % kRanges);
        first_uid_ = kFirstRange + range % kRanges * kRangeSize;
    }
    has_pool_ = settings.find("pool_size = 0") == std::string::npos;
    const auto uid = first_uid_;
    const auto key = state_dir() / "keys" / "root.key";
    fs::create_directories(key.parent_path());
    if (!fs::exists(key)) write_file_atomically(key, random_bytes(32), 0400);
    std::ofstream config{root_ / "berth.conf"};
    config << "state_dir = " << state_dir().string() << "\nrun_dir = " << (root_ / "run").string()
           << "\nfirst_uid = " << uid << "\ndaemon_uid = " << uid << "\nrunner_uid = " << uid + 1
           << "\n"
           << (settings.find("max_runs") == std::string::npos ? "max_runs = 4\nslots = 8\n" : "")
           << (settings.find("grant.") == std::string::npos ? "grant.* = host_network\n" : "")
           << (settings.find("stop_grace") == std::string::npos ? "stop_grace_seconds = 0\n" : "")
           << settings;
}

Daemon::~Daemon() {
    if (pid_ > 0) stop(SIGTERM);
    if (std::uncaught_exceptions() > 0) UNSCOPED_INFO("the daemons' log:\n" << log());
}

std::string Daemon::log() const { return slurp(root_ / "log"); }

// Sandboxes that are kept ready, complete ones among them; 0 when nobody answers, since
// then there must be none.
std::size_t Daemon::parked_sandboxes() const {
    if (!has_pool_) return 0;  // and berthd, which may be away, need not be asked
    Client client{socket()};
    const auto answer = client.request("GET", "/metrics");
    if (!answer) return 0;
    std::size_t kept = 0;
    for (const std::string& line : split(answer->body, '\n'))
        if (line.starts_with("berth_pool_parked ") || line.starts_with("berth_pool_complete "))
            kept += to_number<std::size_t>(line.substr(line.find(' ') + 1)).value_or(0);
    return kept;
}

std::vector<pid_t> Daemon::sandboxed_processes() const {
    std::vector<pid_t> found, of_launcher;
    each_process([&](pid_t pid, const fs::path& proc) {
        const auto uid = to_number<std::uint32_t>(split(status_field(proc, "Uid"), '\t').front());
        const bool ours = uid && *uid >= first_uid_ + 16 && *uid < first_uid_ + kRangeSize;
        // A zombie has ended; whoever it was left to has only not asked yet.
        if (!ours || status_field(proc, "State").starts_with("Z")) return;
        std::error_code gone;
        const auto program = fs::read_symlink(proc / "exe", gone).filename().string();
        (program.starts_with("berth-launcher") ? of_launcher : found).push_back(pid);
    });
    // A parked sandbox has two processes that have not become a script.
    if (of_launcher.size() > 2 * parked_sandboxes())
        found.insert(found.end(), of_launcher.begin(), of_launcher.end());
    return found;
}

bool Daemon::nothing_sandboxed() const {
    return eventually([this] { return sandboxed_processes().empty(); });
}

void Daemon::launch() {
    REQUIRE(pid_ < 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int out = ::open((root_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        ::dup2(out, 1);
        ::dup2(out, 2);
        const auto program = (program_.empty() ? programs() / "berthd" : program_).string();
        const auto config = (root_ / "berth.conf").string();
        ::execl(program.c_str(), program.c_str(), "--all", "--config", config.c_str(), nullptr);
        ::_exit(127);
    }
}

void Daemon::wait_ready() {
    Client client{socket()};
    const bool ready = eventually(
        [&] {
            const auto answer = client.request("GET", "/v2/ready");
            return answer && answer->status == 200;
        },
        kStartTime);
    INFO("the daemons' log:\n" << log());
    REQUIRE(ready);
}

void Daemon::start() {
    launch();
    wait_ready();
}

int Daemon::stop(int signo) {
    REQUIRE(pid_ > 0);
    ::kill(pid_, signo);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
}

pid_t Daemon::pid_of(const std::string& program) const {
    pid_t found = -1;
    each_process([&](pid_t pid, const fs::path& proc) {
        const auto parent = to_number<pid_t>(status_field(proc, "PPid"));
        if (parent != pid_) return;
        if (status_field(proc, "Name") == program.substr(0, 15)) found = pid;
    });
    return found;
}

void Daemon::kill_daemon(const std::string& program) {
    const pid_t pid = pid_of(program);
    INFO("program " << program << "\n" << log());
    REQUIRE(pid > 0);
    REQUIRE(::kill(pid, SIGKILL) == 0);
    REQUIRE(eventually([&] { return pid_of(program) != pid; }));
}

ClientResponse Daemon::request(const std::string& method, const std::string& target,
                               const json& body, const ClientHeaders& headers) {
    Client client{socket()};
    auto answer =
        client.request(method, target, body.is_null() ? std::string{} : body.dump(), headers);
    INFO(method << " " << target << "\n" << log());
    if (!answer) UNSCOPED_INFO(answer.error().message);
    REQUIRE(answer);
    return std::move(*answer);
}

json Daemon::must(const std::string& method, const std::string& target, const json& body,
                  const ClientHeaders& headers) {
    const auto answer = request(method, target, body, headers);
    INFO(method << " " << target << " answered " << answer.status << ": " << answer.body);
    REQUIRE(answer.ok());
    return json::parse(answer.body);
}

ClientResponse Daemon::upload(std::int64_t integration, const Folder& folder,
                              const std::string& query) {
    const TempDir dir{"berth-release"};
    for (const auto& [name, content] : folder) {
        fs::create_directories((dir.path() / name).parent_path());
        std::ofstream{dir.path() / name, std::ios::binary} << content;
    }
    const auto tar = dir.path().string() + ".tar";
    {
        const Fd out{::open(tar.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
        auto packed = pack_directory(dir.path(), out.get());
        if (!packed) UNSCOPED_INFO(packed.error().message);
        REQUIRE(packed);
    }
    const Fd in{::open(tar.c_str(), O_RDONLY | O_CLOEXEC)};
    Client client{socket()};
    auto answer =
        client.upload("POST", fmt::format("/v2/integrations/{}/releases?{}", integration, query),
                      in.get(), "application/x-tar");
    fs::remove(tar);
    if (!answer) UNSCOPED_INFO(answer.error().message << "\n" << log());
    REQUIRE(answer);
    return std::move(*answer);
}

Daemon::Installed Daemon::install(const std::string& name, const Folder& folder, json options,
                                  json configs) {
    Installed made;
    options["name"] = name;
    made.integration = must("POST", "/v2/integrations", options)["id"];
    const auto release = upload(made.integration, folder);
    INFO(release.body);
    REQUIRE(release.status == 200);
    made.release = json::parse(release.body)["id"];
    made.tenant = must("POST", "/v2/tenants",
                       {{"name", name + "-tenant"},
                        {"integration_id", made.integration},
                        {"configs", std::move(configs)}})["id"];
    return made;
}

std::string Daemon::sync(std::int64_t tenant, const std::string& mode, const json& payload) {
    return must("POST", fmt::format("/v2/tenants/{}/sync?mode={}", tenant, mode),
                payload)["trigger_id"];
}

json Daemon::wait_run(const std::string& trigger_id) {
    json run;
    const bool ended = eventually(
        [&] {
            const auto status = request("GET", "/v2/runs/triggers/" + trigger_id + "/status");
            if (status.status == 404) return false;
            run = must("GET", fmt::format("/v2/runs/{}",
                                          json::parse(status.body)["run_id"].get<std::int64_t>()));
            return !run["completed_date"].is_null();
        },
        kRunTime);
    INFO("the daemons' log:\n" << log());
    REQUIRE(ended);
    return run;
}

std::string Daemon::run_log(std::int64_t run_id, const std::string& stream) {
    Client client{socket()};
    const auto link = client.get(fmt::format("/v2/runs/{}/log", run_id));
    REQUIRE(link);
    REQUIRE(link->status == 302);
    std::string location{link->header("location")};
    if (!stream.empty()) location += "&stream=" + stream;
    const auto text = client.get(location);
    REQUIRE(text);
    REQUIRE(text->status == 200);
    return text->body;
}

}  // namespace berth::test
