// Counts what a script inside can still do: 54 hostile acts, the exact answer to each
// in the default profile, and the control that each is possible outside.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>

#include "base/error.h"
#include "tests/isolation/outside.h"
#include "tests/sandbox/sandbox.h"

using namespace berth;
using namespace berth::sandbox_test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kPossible = "possible";
constexpr const char* kProgram = BERTH_BINARY_DIR "/bin/sandbox_acts";

struct Expected {
    const char* name;
    const char* inside;
    const char* outside = kPossible;
    const char* strict = nullptr;  // where it differs
};

// Two things remain: locks on files that runs share. --strict closes them.
constexpr Expected kExpected[] = {
    {"read the host's password hashes", "ENOENT"},
    {"look into Berth's own folders", "ENOENT"},
    {"overwrite a program of the runtime", "EACCES"},
    {"overwrite a file of the release", "EACCES"},
    {"add a file to the release", "EROFS"},
    {"set the host's core pattern", "EACCES", kPossible, "ENOENT"},  // strictly no such file
    {"empty the host's caches", "EACCES", kPossible, "ENOENT"},
    {"read the kernel's addresses", "EACCES", kPossible, "ENOENT"},
    {"announce devices through /sys", "ENOENT"},
    {"move to another cgroup", "ENOENT"},
    {"open the program of pid 1", "ENOENT"},
    {"set up an io_uring", "EPERM"},
    {"load eBPF", "EPERM"},
    {"count performance events", "EPERM"},
    {"handle page faults (userfaultfd)", "EPERM"},
    {"put a key into a keyring", "EPERM"},
    {"open a file by its handle", "EPERM"},
    {"load a kernel module", "EPERM", "ENOSYS"},  // where this kernel has none
    {"prepare another kernel (kexec)", "EPERM", "ENOSYS"},
    {"manage quotas", "EPERM"},
    {"read the kernel's log", "EPERM"},
    {"call by the 32-bit table", "SIGSYS"},
    {"make a user namespace", "EPERM"},
    {"make a network namespace", "EPERM"},
    {"enter a namespace", "EPERM"},
    {"mount a file system", "EPERM"},
    {"unmount /proc", "EPERM"},
    {"make a mount by descriptor", "EPERM"},
    {"trace a process", "EPERM"},
    {"read a process's memory", "EPERM"},
    {"take a process's descriptor", "EPERM"},
    {"signal pid 1", "EPERM"},
    {"read pid 1's environment", "ENOENT"},
    {"open a packet socket", "EPERM"},
    {"open a raw socket", "EPERM"},
    {"speak to the hypervisor (vsock)", "EPERM"},
    {"speak to the kernel's firewall", "EPERM"},
    {"reach a service on the host's loopback", "ECONNREFUSED"},
    {"reach an abstract socket of the host", "ECONNREFUSED"},
    {"make a device node", "EACCES"},
    {"type into a terminal", "ENOENT"},
    {"become root", "EPERM"},
    {"write a map of users", "EACCES"},
    {"give a file capabilities", "EPERM"},
    {"set the clock", "EPERM"},
    {"run in real time", "EPERM"},
    {"run before others (nice)", "EACCES"},
    {"rename the host", "EPERM"},
    {"lock a shared file (flock)", kPossible, kPossible, "EPERM"},
    {"lock a part of a shared file (OFD)", kPossible, kPossible, "EPERM"},
    {"take a lease on a shared file", "EPERM"},
    {"watch who uses a shared file (inotify)", "EPERM"},
    {"inherit descriptors", "ENOENT"},
    {"inherit the launcher's environment", "ENOENT"},
};

using Table = std::vector<std::vector<std::string>>;  // kind, name, result

auto possible(const Table& results) {
    return std::count_if(results.begin(), results.end(),
                         [](const auto& one) { return one.at(2) == kPossible; });
}

// What the acts reach for on the host. Made before the launcher starts, so that it
// inherits the descriptor and the environment.
class Host {
public:
    Host() : release_{"acts-release"} {
        ::setenv("BERTH_NOT_FOR_SCRIPTS", "1", /*overwrite=*/1);
        check(::listen(tcp_.get(), 4), "listening");
        sockaddr_in address{};
        socklen_t size = sizeof address;
        check(::getsockname(tcp_.get(), reinterpret_cast<sockaddr*>(&address), &size), "asking");
        port_ = std::to_string(ntohs(address.sin_port));
        name_ = "berth-acts-" + std::to_string(::getpid());
        sockaddr_un abstract{};
        abstract.sun_family = AF_UNIX;
        name_.copy(abstract.sun_path + 1, name_.size());
        check(::bind(abstract_.get(), reinterpret_cast<sockaddr*>(&abstract),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size())),
              "binding");
        check(::listen(abstract_.get(), 4), "listening");
        furnish(release_.path());
    }
    ~Host() { ::unsetenv("BERTH_NOT_FOR_SCRIPTS"); }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    static void furnish(const fs::path& release) {
        std::ofstream{release / "data"} << "unchanged";
        fs::copy_file(kProgram, release / "acts", fs::copy_options::overwrite_existing);
    }
    std::vector<std::string> arguments(const std::string& state, const std::string& release,
                                       const std::string& scratch) const {
        return {port_, name_, state, release, scratch};
    }
    std::string release() const { return release_.path().string(); }

private:
    TempDir release_;
    Fd tcp_{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    Fd abstract_{check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket")};
    Fd inherited_{check(::dup(abstract_.get()), "leaving a descriptor open")};  // without CLOEXEC
    std::string port_;
    std::string name_;
};

Table outside(const Host& host) {
    std::vector<std::string> words{kProgram, "--apart"};
    const auto rest = host.arguments(host.release(), host.release(), host.release());
    words.insert(words.end(), rest.begin(), rest.end());
    return isolation::table(isolation::Outside{words, {"BERTH_NOT_FOR_SCRIPTS=1"}}.read_all());
}

Table inside(Launcher& launcher, const Host& host) {
    Host::furnish(launcher.release_path("probe"));
    Run run;
    run.argv = {"/app/acts"};
    const auto rest = host.arguments(launcher.folder(), "/app", "/work");
    run.argv.insert(run.argv.end(), rest.begin(), rest.end());
    const Ended ended = launcher.run(run);
    CHECK(ended.err == "");
    REQUIRE(ended.report);
    REQUIRE(ended.report->wait_status == 0);
    return isolation::table(ended.out);
}

void check_each(const Table& results, const char* Expected::*column, int landlock_abi) {
    REQUIRE(results.size() == std::size(kExpected));
    for (std::size_t i = 0; i < results.size(); ++i) {
        const Expected& expected = kExpected[i];
        const char* const wanted = expected.*column != nullptr ? expected.*column : expected.inside;
        INFO(expected.name);
        CHECK(results[i].at(1) == expected.name);
        if (landlock_abi > 0 || wanted == kPossible) {
            CHECK(results[i].at(2) == wanted);
        } else {
            CHECK(results[i].at(2) != kPossible);  // refused, if by a later wall
        }
    }
}

void print(const Table& free, const Table& usual, const Table& strict) {
    const auto row = [](const auto& kind, const auto& name, const auto& outside, const auto& inside,
                        const auto& strictly) {
        std::cout << std::left << std::setw(14) << kind << std::setw(42) << name << std::setw(12)
                  << outside << std::setw(14) << inside << strictly << '\n';
    };
    row("kind", "act", "outside", "inside", "strict");
    for (std::size_t i = 0; i < free.size(); ++i)
        row(free[i].at(0), free[i].at(1), free[i].at(2), usual[i].at(2), strict[i].at(2));
    row("", "possible of " + std::to_string(free.size()), possible(free), possible(usual),
        possible(strict));
}

}  // namespace

TEST_CASE("of 54 hostile acts a script can do two, and none where it is strict",
          "[sandbox][acts]") {
    BERTH_NEEDS_SANDBOX();
    static_assert(std::size(kExpected) == 54);
    const Host host;
    Launcher launcher;
    Launcher strict{{.strict = true}};
    const Table free = outside(host);
    const Table usual = inside(launcher, host);
    const Table strictly = inside(strict, host);

    REQUIRE(free.size() == std::size(kExpected));
    for (std::size_t i = 0; i < free.size(); ++i) {
        INFO(kExpected[i].name);
        // A kernel that has it lets root do it; one that has not says so.
        CHECK((free[i].at(2) == kPossible || free[i].at(2) == kExpected[i].outside));
    }
    const int landlock = static_cast<int>(launcher.hello.landlock_abi);
    check_each(usual, &Expected::inside, landlock);
    check_each(strictly, &Expected::strict, landlock);
    CHECK(possible(usual) <= 2);
    CHECK(possible(strictly) == 0);
    print(free, usual, strictly);

    // The host's side: nothing was changed.
    for (const Launcher* one : {&launcher, &strict}) {
        std::ifstream data{one->release_path("probe/data")};
        std::string content;
        CHECK((std::getline(data, content) && content == "unchanged"));
        CHECK_FALSE(fs::exists(one->release_path("probe/more")));
    }
}
