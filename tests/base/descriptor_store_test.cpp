// What a process asks its service manager to keep, and what the next one finds.
#include "base/descriptor_store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/file.h"
#include "base/log.h"
#include "base/pipe.h"

using namespace berth;

namespace {

// A message as the manager gets it.
struct Said {
    std::string text;
    std::vector<Fd> fds;
};

Said hear(const Fd& socket) {
    std::array<char, 1024> text{};
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    REQUIRE(n >= 0);
    Said said{{text.data(), static_cast<std::size_t>(n)}, {}};
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    for (std::size_t at = 0; header != nullptr && CMSG_LEN(at + sizeof(int)) <= header->cmsg_len;
         at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + at, sizeof fd);
        said.fds.emplace_back(fd);
    }
    return said;
}

bool same_file(int a, int b) {
    struct stat of_a {};
    struct stat of_b {};
    return ::fstat(a, &of_a) == 0 && ::fstat(b, &of_b) == 0 && of_a.st_ino == of_b.st_ino;
}

// Asks in a process of its own, since what is inherited begins at descriptor 3. True when
// `holds` says so there.
bool in_next_process(const std::vector<int>& inherited, const std::string& names,
                     const std::string& listen_pid,
                     const std::function<bool(DescriptorStore::Kept&)>& holds) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        std::vector<int> high;
        for (const int fd : inherited)
            high.push_back(::fcntl(fd, F_DUPFD_CLOEXEC, 200));
        for (std::size_t i = 0; i < high.size(); ++i)
            ::dup2(high[i], 3 + static_cast<int>(i));
        ::setenv("LISTEN_FDS", std::to_string(inherited.size()).c_str(), 1);
        ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
        if (listen_pid == "ours")
            ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        else if (!listen_pid.empty())
            ::setenv("LISTEN_PID", listen_pid.c_str(), 1);
        auto kept = DescriptorStore::inherited("run-");
        ::_exit(holds(kept) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("descriptors go to the manager in one message, with their name", "[base]") {
    auto pair = make_seqpacket_pair();
    const DescriptorStore store{std::move(pair.a)};
    CHECK(store);
    const Pipe pipe = make_pipe();
    const std::array<int, 2> fds{pipe.read.get(), pipe.write.get()};
    CHECK(store.keep("run-7-1", fds));
    const auto said = hear(pair.b);
    CHECK(said.text == "FDSTORE=1\nFDNAME=run-7-1\nFDPOLL=0");
    REQUIRE(said.fds.size() == 2);
    CHECK(same_file(said.fds[0].get(), pipe.read.get()));
    store.remove("run-7-1");
    const auto removed = hear(pair.b);
    CHECK(removed.text == "FDSTOREREMOVE=1\nFDNAME=run-7-1");
    CHECK(removed.fds.empty());
}

TEST_CASE("without a manager nothing is kept", "[base]") {
    ::unsetenv("NOTIFY_SOCKET");
    const auto store = DescriptorStore::from_environment();
    CHECK_FALSE(store);
    const int fd = 0;
    CHECK_FALSE(store.keep("run-7-1", {&fd, 1}));
    store.remove("run-7-1");
}

TEST_CASE("the manager is found by NOTIFY_SOCKET, a path or an abstract name", "[base]") {
    const TempDir folder{"notify"};
    const bool abstract = GENERATE(false, true);
    const std::string name = (abstract ? "@" : "") + (folder.path() / "notify.sock").string();
    const Fd manager{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, name.size());
    if (abstract) address.sun_path[0] = '\0';
    REQUIRE(::bind(manager.get(), reinterpret_cast<sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())) == 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const auto store = DescriptorStore::from_environment();
    ::unsetenv("NOTIFY_SOCKET");
    REQUIRE(store);
    const int fd = 0;
    CHECK(store.keep("run-1-1", {&fd, 1}));
    CHECK(hear(manager).fds.size() == 1);
}

TEST_CASE("a manager that is not there is told of in the log, once", "[base]") {
    std::vector<std::string> lines;
    set_log_sink(
        [&](LogLevel, std::string_view text, const LogFields&) { lines.emplace_back(text); });
    ::setenv("NOTIFY_SOCKET", "/nowhere/notify.sock", 1);
    const auto store = DescriptorStore::from_environment();
    ::unsetenv("NOTIFY_SOCKET");
    set_log_sink({});
    CHECK_FALSE(store);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "the service manager cannot be reached, nothing outlives this process");
}

TEST_CASE("a manager that has gone loses what it is sent, and the caller hears of it", "[base]") {
    auto pair = make_seqpacket_pair();
    const DescriptorStore store{std::move(pair.a)};
    pair.b.reset();
    std::vector<std::string> lines;
    set_log_sink(
        [&](LogLevel, std::string_view text, const LogFields&) { lines.emplace_back(text); });
    const int fd = 0;
    CHECK_FALSE(store.keep("run-1-1", {&fd, 1}));
    set_log_sink({});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "the service manager did not keep descriptors for the next process");
}

TEST_CASE("the next process finds what was kept by its name, and leaves the rest alone", "[base]") {
    const Pipe listening = make_pipe();
    const Pipe one = make_pipe();
    const Pipe two = make_pipe();
    const std::vector<int> fds{listening.read.get(), one.read.get(), two.read.get(),
                               one.write.get()};
    const auto right = [&](DescriptorStore::Kept& kept) {
        return kept.size() == 2 && kept["run-1-1"].size() == 2 && kept["run-2-1"].size() == 1 &&
               same_file(kept["run-2-1"][0].get(), two.read.get()) &&
               (::fcntl(kept["run-2-1"][0].get(), F_GETFD) & FD_CLOEXEC) != 0 &&
               (::fcntl(3, F_GETFD) & FD_CLOEXEC) == 0;  // the listening one stays as it is
    };
    const std::string names = "listen:run-1-1:run-2-1:run-1-1";
    CHECK(in_next_process(fds, names, "", right));  // the supervisor cannot know the pid
    CHECK(in_next_process(fds, names, "ours", right));
    const auto none = [](DescriptorStore::Kept& kept) { return kept.empty(); };
    CHECK(in_next_process(fds, names, "1", none));  // meant for somebody else
    CHECK(in_next_process({}, "", "", none));
    // More names than descriptors.
    CHECK(in_next_process({fds[0]}, names, "", none));
}
