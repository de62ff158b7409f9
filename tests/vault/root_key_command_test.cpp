// The root key from a command: what it may print, and every way it can go wrong.
#include "vault/root_key_command.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "base/file.h"
#include "base/text.h"

using namespace berth;
using namespace berth::vault;
using namespace std::chrono_literals;

namespace {

const std::string kHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

// A script that is a hook.
class Hook {
public:
    explicit Hook(const std::string& script) {
        std::ofstream{path()} << "#!/bin/sh\n" << script << "\n";
        ::chmod(path().c_str(), 0700);
    }
    std::string path() const { return (dir_.path() / "hook").string(); }
    Result<RootKey> run(std::vector<std::string> arguments = {},
                        std::chrono::milliseconds time = 60s) const {
        arguments.insert(arguments.begin(), path());
        return load_root_key_command(arguments, time);
    }

private:
    TempDir dir_{"hook"};
};

void refused(const Result<RootKey>& key, const std::string& why) {
    REQUIRE_FALSE(key);
    CHECK(key.error().kind == FailureKind::denied);
    CHECK_THAT(key.error().message, Catch::Contains(why));
    CHECK_THAT(key.error().message, Catch::Contains("run it as berth-runner's user"));
}

std::uint64_t resident_bytes() {
    std::ifstream statm{"/proc/self/statm"};
    std::uint64_t total = 0, resident = 0;
    statm >> total >> resident;
    return resident * 4096;
}

}  // namespace

TEST_CASE("a command gives the root key raw or in hex", "[vault]") {
    const auto script = GENERATE_COPY(
        as<std::string>{}, "printf " + kHex, "echo " + kHex, "printf '" + [] {
            std::string octal;
            for (int i = 0; i < 32; ++i)
                octal += fmt::format("\\{:03o}", i);
            return octal;
        }() + "'");
    const auto key = Hook{script}.run();
    REQUIRE(key);
    CHECK(to_hex(key->bytes.reveal()) == kHex);
    CHECK(key->id == make_root_key(Secret{from_hex(kHex).value()}).id);
}

TEST_CASE("a command gets its words as they are, and no shell", "[vault]") {
    const Hook hook{"test \"$1\" = '$HOME;*' && test $# = 1 && echo " + kHex};
    CHECK(hook.run({"$HOME;*"}));
    refused(hook.run({"/root"}), "it exits with 1");
}

TEST_CASE("a command that prints no key is refused without what it printed", "[vault]") {
    refused(Hook{"printf 0123456789012345678901234567890"}.run(), "it prints 31 bytes");
    refused(Hook{"printf 012345678901234567890123456789012"}.run(), "it prints 33 bytes");
    refused(Hook{"true"}.run(), "it prints 0 bytes");
    refused(Hook{"printf g" + kHex.substr(1)}.run(), "neither 32 raw ones nor 64 hex digits");
    refused(Hook{"printf 00000000000000000000000000000000"}.run(), "are the same");
    const auto failed = Hook{"echo " + kHex + "; echo " + kHex + " >&2; exit 1"}.run();
    refused(failed, "it exits with 1");
    CHECK(failed.error().message.find(kHex) == std::string::npos);
    refused(Hook{"kill -9 $$"}.run(), "it was killed by signal 9");
}

TEST_CASE("a command that cannot be started is refused", "[vault]") {
    refused(load_root_key_command({"/nonexistent/hook"}), "it cannot be started");
    TempDir dir{"hook"};
    std::ofstream{dir.path() / "plain"} << "no program";
    refused(load_root_key_command({(dir.path() / "plain").string()}), "it cannot be started");
    CHECK_FALSE(parse_root_key_command("hook arg"));
    CHECK_FALSE(parse_root_key_command("  "));
    CHECK(parse_root_key_command("/bin/hook  a b").value() ==
          std::vector<std::string>{"/bin/hook", "a", "b"});
}

TEST_CASE("a command that hangs is ended with all it has started", "[vault]") {
    TempDir dir{"hook"};
    const auto mark = dir.path() / "pid";
    const Hook hook{"sleep 1000 & echo $! > " + mark.string() + "; wait"};
    const auto begun = std::chrono::steady_clock::now();
    refused(hook.run({}, 500ms), "it has taken more than 1 s");
    CHECK(std::chrono::steady_clock::now() - begun < 60s);
    pid_t left = 0;
    std::ifstream{mark} >> left;
    if (left == 0) return;  // it was ended before it came to that
    // Killed; it may not be collected yet by whoever is pid 1 here.
    std::ifstream status{fmt::format("/proc/{}/stat", left)};
    std::string pid, name, state = "Z";
    if (status) status >> pid >> name >> state;
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (state != "Z" && state != "X" && std::chrono::steady_clock::now() < until) {
        std::ifstream again{fmt::format("/proc/{}/stat", left)};
        state = "Z";
        if (again) again >> pid >> name >> state;
    }
    CHECK((state == "Z" || state == "X"));
    // One that closes its output and stays is no better.
    refused(Hook{"printf " + kHex + "; exec >&-; sleep 1000"}.run({}, 500ms), "it has taken");
}

TEST_CASE("a command that prints a gigabyte costs nothing", "[vault]") {
    const Hook hook{"head -c 1073741824 /dev/zero"};
    refused(hook.run(), "it prints more than 65 bytes");  // whatever the first one allocates
    const auto before = resident_bytes();
    refused(hook.run(), "it prints more than 65 bytes");
    const auto after = resident_bytes();
    CHECK(after < before + (std::uint64_t{1} << 20));
}
