// What a daemon says to its service manager, heard on a socket of the test's own.
#include "base/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/file.h"
#include "base/loop/service.h"
#include "base/loop/timer.h"

using namespace berth;
using namespace std::chrono_literals;

namespace {

// Sets a variable as long as it lives.
class Variable {
public:
    Variable(const char* name, const std::string& value) : name_{name} {
        ::setenv(name, value.c_str(), 1);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

// The manager's end.
class Manager {
public:
    explicit Manager(const std::string& path)
        : socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        if (path[0] == '@') address.sun_path[0] = '\0';
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    }
    // What was said next; empty: nothing.
    std::string hear() {
        char text[1024];
        const ssize_t size = ::recv(socket_.get(), text, sizeof text, 0);
        return size < 0 ? "" : std::string{text, static_cast<std::size_t>(size)};
    }

private:
    Fd socket_;
};

}  // namespace

TEST_CASE("without a manager nothing is said and nothing fails", "[base]") {
    ::unsetenv("NOTIFY_SOCKET");
    Notifier notifier = Notifier::from_environment();
    CHECK_FALSE(notifier);
    notifier.ready("serving");
    CHECK(notifier.keep_alive(-1) == -1);
    CHECK(notifier.keep_alive(250) == 250);

    const char* nowhere = GENERATE("", "relative", "/does/not/exist", "@");
    const Variable variable{"NOTIFY_SOCKET", nowhere};
    CHECK_FALSE(Notifier::from_environment());
}

TEST_CASE("states and their texts arrive as the manager reads them", "[base]") {
    const TempDir folder{"notify"};
    const bool abstract = GENERATE(false, true);
    const std::string path = (abstract ? "@berth-test" : "") + (folder.path() / "notify").string();
    Manager manager{path};
    const Variable variable{"NOTIFY_SOCKET", path};
    Notifier notifier = Notifier::from_environment();
    REQUIRE(notifier);

    notifier.ready("serving");
    CHECK(manager.hear() == "READY=1\nSTATUS=serving");
    notifier.status("3 live runs");
    CHECK(manager.hear() == "STATUS=3 live runs");
    notifier.reloading("reading the configuration");
    CHECK(manager.hear().rfind("RELOADING=1\nMONOTONIC_USEC=", 0) == 0);
    notifier.stopping("waiting for 3 live runs");
    CHECK(manager.hear() == "STOPPING=1\nSTATUS=waiting for 3 live runs");
    notifier.extend_timeout(90s);
    CHECK(manager.hear() == "EXTEND_TIMEOUT_USEC=90000000");
    CHECK(manager.hear().empty());
}

TEST_CASE("a text that is too long is cut, and still one message", "[base]") {
    const TempDir folder{"notify"};
    const std::string path = (folder.path() / "notify").string();
    Manager manager{path};
    const Variable variable{"NOTIFY_SOCKET", path};
    Notifier::from_environment().ready(std::string(5000, 'x').c_str());
    const std::string heard = manager.hear();
    CHECK(heard.rfind("READY=1\nSTATUS=xxx", 0) == 0);
    CHECK(heard.size() < 1000);
}

TEST_CASE("the watchdog is told at once, then a third of its time later, not on every turn",
          "[base]") {
    const TempDir folder{"notify"};
    const std::string path = (folder.path() / "notify").string();
    Manager manager{path};
    const Variable socket{"NOTIFY_SOCKET", path};
    const Variable watchdog{"WATCHDOG_USEC", "30000000"};
    Notifier notifier = Notifier::from_environment();
    CHECK(notifier.alive_every() == 10s);

    const int wait = notifier.keep_alive(-1);
    CHECK(manager.hear() == "WATCHDOG=1");
    CHECK(wait > 0);
    CHECK(wait <= 10'000);
    CHECK(notifier.keep_alive(5) == 5);
    CHECK(manager.hear().empty());
}

TEST_CASE("a watchdog for another process is not ours to feed", "[base]") {
    const TempDir folder{"notify"};
    const std::string path = (folder.path() / "notify").string();
    Manager manager{path};
    const Variable socket{"NOTIFY_SOCKET", path};
    const Variable watchdog{"WATCHDOG_USEC", "30000000"};
    const Variable pid{"WATCHDOG_PID", "1"};
    Notifier notifier = Notifier::from_environment();
    REQUIRE(notifier);
    CHECK(notifier.alive_every() == 0ms);
    CHECK(notifier.keep_alive(-1) == -1);
    CHECK(manager.hear().empty());
}

TEST_CASE("a service feeds its watchdog as long as its loop turns", "[base]") {
    const TempDir folder{"notify"};
    const std::string path = (folder.path() / "notify").string();
    Manager manager{path};
    const Variable socket{"NOTIFY_SOCKET", path};
    const Variable watchdog{"WATCHDOG_USEC", "6000"};
    Loop loop;
    Service service{loop};
    int heard = 0;
    Timer look{loop, [&] {
                   while (manager.hear() == "WATCHDOG=1")
                       ++heard;
                   heard < 5 ? look.start(1ms) : loop.stop();
               }};
    look.start(1ms);
    loop.run();  // ends by itself, or ctest's time limit ends it
    CHECK(heard >= 5);
}
