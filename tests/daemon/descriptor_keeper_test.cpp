// The supervisor's descriptor store, spoken to by the client that the runner uses.
#include "daemon/descriptor_keeper.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "base/descriptor_store.h"
#include "base/file.h"
#include "base/pipe.h"
#include "tests/support/run_loop.h"

using namespace berth;

namespace {

struct Kept {
    Kept() {
        ::setenv("NOTIFY_SOCKET", socket.c_str(), 1);
        store = DescriptorStore::from_environment();
        ::unsetenv("NOTIFY_SOCKET");
        REQUIRE(store);
    }
    // The variable of the next process.
    std::string variable(const std::string& name) {
        for (const std::string& entry : keeper.with_kept({}).env)
            if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
        return {};
    }

    TempDir folder{"keeper"};
    std::string socket = folder.path() / "notify.sock";
    Loop loop;
    DescriptorKeeper keeper{loop, socket, ::geteuid(), ::getegid()};
    DescriptorStore store;
    Pipe pipe = make_pipe();
    std::array<int, 2> fds{pipe.read.get(), pipe.write.get()};
};

}  // namespace

TEST_CASE("what is kept is handed to the next process behind its own descriptors", "[daemon]") {
    Kept kept;
    REQUIRE(kept.store.keep("run-1-1", kept.fds));
    REQUIRE(kept.store.keep("run-2-1", {kept.fds.data(), 1}));
    ChildOptions own;
    own.fds = {{0, 3}};
    own.env = {"A=1"};
    const auto options = kept.keeper.with_kept(own);
    REQUIRE(options.fds.size() == 4);
    for (std::size_t i = 0; i < options.fds.size(); ++i)
        CHECK(options.fds[i].second == 3 + static_cast<int>(i));
    CHECK(options.env == std::vector<std::string>{"A=1", "NOTIFY_SOCKET=" + kept.socket,
                                                  "LISTEN_FDS=4",
                                                  "LISTEN_FDNAMES=listen:run-1-1:run-1-1:run-2-1"});
    CHECK(kept.keeper.size() == 3);
}

TEST_CASE("they are there for every next process until they are removed by name", "[daemon]") {
    Kept kept;
    REQUIRE(kept.store.keep("run-1-1", kept.fds));
    REQUIRE(kept.store.keep("run-2-1", kept.fds));
    for (int i = 0; i < 2; ++i)
        CHECK(kept.variable("LISTEN_FDNAMES") == "run-1-1:run-1-1:run-2-1:run-2-1");
    kept.store.remove("run-1-1");
    kept.store.remove("run-3-1");  // is not there
    CHECK(kept.variable("LISTEN_FDNAMES") == "run-2-1:run-2-1");
    kept.store.remove("run-2-1");
    CHECK(kept.variable("LISTEN_FDS") == "0");
    // The last copies are closed: the pipe is at its end.
    kept.pipe.write.reset();
    char byte = 0;
    CHECK(::read(kept.pipe.read.get(), &byte, 1) == 0);
}

TEST_CASE("the next process gets what was kept, and can use it", "[daemon]") {
    Kept kept;
    REQUIRE(kept.store.keep("run-1-1", {&kept.fds[1], 1}));
    kept.pipe.write.reset();  // the manager has the only copy now
    ChildOptions writer;
    writer.argv = {"/bin/sh", "-c", "printf %s \"$LISTEN_FDNAMES\" >&4"};
    writer.fds = {{2, 3}};
    int status = -1;
    const Child child{kept.loop, kept.keeper.with_kept(writer), [&](int s) { status = s; }};
    test::run_until(kept.loop, [&] { return status >= 0; });
    CHECK(status == 0);
    std::string said(64, '\0');
    said.resize(static_cast<std::size_t>(::read(kept.pipe.read.get(), said.data(), said.size())));
    CHECK(said == "listen:run-1-1");
}

TEST_CASE("what is no message of the store changes nothing", "[daemon]") {
    Kept kept;
    CHECK(kept.store.keep("", kept.fds));
    CHECK(kept.store.keep("a:b", kept.fds));
    CHECK(kept.store.keep(std::string(256, 'x'), kept.fds));
    CHECK(kept.store.keep(std::string(2000, 'x'), kept.fds));  // longer than we read
    CHECK(kept.variable("LISTEN_FDS") == "0");
    CHECK(kept.store.keep(std::string(255, 'x'), kept.fds));
    CHECK(kept.variable("LISTEN_FDS") == "2");
}

TEST_CASE("the names of what is kept never outgrow a variable of the environment", "[daemon]") {
    Kept kept;
    const std::string name(255, 'x');
    for (int i = 0; i < 600; ++i) {
        REQUIRE(kept.store.keep(name, {kept.fds.data(), 1}));
        test::run_until(kept.loop, [&] { return kept.variable("LISTEN_FDS") != "0"; });
    }
    const auto names = kept.variable("LISTEN_FDNAMES");
    CHECK(names.size() > 100'000);
    CHECK(names.size() < 128 * 1024 - 64);  // with its own name: what execve(2) takes
    kept.store.remove(name);
    CHECK(kept.variable("LISTEN_FDS") == "0");
    REQUIRE(kept.store.keep(name, kept.fds));  // there is room again
    CHECK(kept.variable("LISTEN_FDS") == "2");
}

TEST_CASE("the socket belongs to the program alone and goes with the keeper", "[daemon]") {
    const TempDir folder{"keeper"};
    const auto path = folder.path() / "notify.sock";
    Loop loop;
    {
        const DescriptorKeeper keeper{loop, path, ::geteuid(), ::getegid()};
        struct stat facts {};
        REQUIRE(::stat(path.c_str(), &facts) == 0);
        CHECK((facts.st_mode & 0777) == 0600);
    }
    CHECK_FALSE(std::filesystem::exists(path));
}
