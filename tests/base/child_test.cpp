// Child processes: how they start, fail to start, end and are ended.
#include "base/loop/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <optional>

#include "base/error.h"
#include "base/pipe.h"
#include "tests/support/run_loop.h"

using namespace berth;

namespace {

ChildOptions shell(const std::string& script) {
    ChildOptions options;
    options.argv = {"/bin/sh", "-c", script};
    options.env = {"PATH=/usr/bin:/bin"};
    return options;
}

struct Ran {
    Loop loop;
    std::optional<int> status;
    std::optional<Child> child;
    explicit Ran(const ChildOptions& options) {
        child.emplace(loop, options, [this](int s) { status = s; });
    }
    void wait() {
        test::run_until(loop, [this] { return status.has_value(); });
    }
};

std::string read_to_end(int fd) {
    std::string all;
    char bytes[256];
    for (ssize_t n = 0; (n = ::read(fd, bytes, sizeof bytes)) > 0;)
        all.append(bytes, static_cast<std::size_t>(n));
    return all;
}

}  // namespace

TEST_CASE("a child's exit status is told", "[base]") {
    const int code = GENERATE(0, 1, 77, 255);
    Ran ran{shell(fmt::format("exit {}", code))};
    ran.wait();
    REQUIRE(WIFEXITED(*ran.status));
    CHECK(WEXITSTATUS(*ran.status) == code);
}

TEST_CASE("a child is signalled and its death by signal is told", "[base]") {
    const int signo = GENERATE(SIGTERM, SIGKILL);
    Pipe ready = make_pipe();
    auto options = shell("echo up >&3; exec 3>&-; exec sleep 1000");
    options.fds = {{ready.write.get(), 3}};
    Ran ran{options};
    ready.write.reset();
    CHECK(read_to_end(ready.read.get()) == "up\n");
    ran.child->signal(signo);
    ran.wait();
    REQUIRE(WIFSIGNALED(*ran.status));
    CHECK(WTERMSIG(*ran.status) == signo);
    ran.child->signal(signo);  // nothing: it has ended
}

TEST_CASE("a program that cannot be executed is an error with its errno", "[base]") {
    const auto start = [](const std::string& path) {
        Loop loop;
        ChildOptions options;
        options.argv = {path};
        try {
            const Child child{loop, options, [](int) {}};
        } catch (const SystemError& error) {
            CHECK_THAT(error.what(), Catch::Contains("'" + path + "'"));
            return error.err();
        }
        return 0;
    };
    CHECK(start("/no/such/program") == ENOENT);
    CHECK(start("/etc/passwd") == EACCES);
    CHECK(start("/etc") == EACCES);
}

TEST_CASE("a child gets the descriptors and the environment it is given, and no others", "[base]") {
    Pipe out = make_pipe();
    const Fd ours{::fcntl(out.read.get(), F_DUPFD_CLOEXEC, 200)};
    auto options = shell("env >&5; ls /proc/self/fd >&5");
    options.env = {"PATH=/usr/bin:/bin", "GIVEN=a value"};
    options.fds = {{out.write.get(), 5}};
    ::setenv("NOT_GIVEN", "x", 1);
    Ran ran{options};
    out.write.reset();
    const std::string said = read_to_end(out.read.get());
    ran.wait();
    CHECK_THAT(said, Catch::Contains("GIVEN=a value\n"));
    CHECK_THAT(said, !Catch::Contains("NOT_GIVEN"));
    CHECK_THAT(said, Catch::Contains("\n5\n"));
    CHECK_THAT(said, !Catch::Contains(fmt::format("\n{}\n", ours.get())));
}

TEST_CASE("descriptors whose numbers cross or stay the same reach the child", "[base]") {
    Pipe a = make_pipe();
    Pipe b = make_pipe();
    const int first = a.write.get(), second = b.write.get();
    const bool same = GENERATE(true, false);
    REQUIRE((first < 10 && second < 10));  // dash knows no descriptor of two digits
    const int a_gets = same ? first : second;
    const int b_gets = same ? second : first;
    auto options = shell(fmt::format("echo a >&{}; echo b >&{}", a_gets, b_gets));
    options.fds = {{first, a_gets}, {second, b_gets}};
    Ran ran{options};
    a.write.reset();
    b.write.reset();
    CHECK(read_to_end(a.read.get()) == "a\n");
    CHECK(read_to_end(b.read.get()) == "b\n");
    ran.wait();
}

TEST_CASE("a child that is dropped is killed and reaped", "[base]") {
    pid_t pid = 0;
    {
        Ran ran{shell("exec sleep 1000")};
        pid = ran.child->pid();
        CHECK(::kill(pid, 0) == 0);
    }
    CHECK(::kill(pid, 0) < 0);
    CHECK(errno == ESRCH);
}

TEST_CASE("a child may be destroyed by its own exit callback", "[base]") {
    Loop loop;
    std::optional<Child> child;
    bool told = false;
    child.emplace(loop, shell("exit 0"), [&](int) {
        told = true;
        child.reset();
    });
    test::run_until(loop, [&] { return told; });
    CHECK_FALSE(child);
}

TEST_CASE("a child as another user has that user's ids and no capabilities", "[base]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can change to another user");
        return;
    }
    Pipe out = make_pipe();
    auto options = shell(
        "id -u >&3; id -g >&3; id -G >&3; grep -E 'Cap(Eff|Bnd|Prm)' "
        "/proc/self/status >&3");
    options.fds = {{out.write.get(), 3}};
    options.uid = 12345;
    options.gid = 12346;
    options.groups = {12347};
    options.drop_capabilities = true;
    Ran ran{options};
    out.write.reset();
    CHECK(read_to_end(out.read.get()) ==
          "12345\n12346\n12346 12347\n"
          "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n");
    ran.wait();
    CHECK(*ran.status == 0);
}
