#include "sandbox/runner/plan.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "model/limits.h"

using namespace berth;
using namespace berth::runner;

namespace {

ipc::Start good_start() {
    ipc::Start start;
    start.argv = {"/bin/sh", "-c", "echo hi"};
    start.env = {"A=1", "EMPTY="};
    start.runtime = "host";
    start.release = "abc123";
    start.memory_bytes = limits::kMemoryBytes;
    start.wall_time_s = 600;
    return start;
}

ipc::RunSecret named(std::vector<std::string> names) {
    ipc::RunSecret secret;
    secret.names = std::move(names);
    return secret;
}

std::string contents(const Plan& plan) {
    if (!plan.memory) return {plan.packet.begin(), plan.packet.end()};
    struct stat facts {};
    REQUIRE(::fstat(plan.memory.get(), &facts) == 0);
    std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
    REQUIRE(::pread(plan.memory.get(), bytes.data(), bytes.size(), 0) == facts.st_size);
    return bytes;
}

// Takes a plan apart as pid 2 does.
struct Read {
    explicit Read(std::string all) : bytes{std::move(all)} {}
    template <typename T>
    T record() {
        T value;
        REQUIRE(at + sizeof value <= bytes.size());
        std::memcpy(&value, bytes.data() + at, sizeof value);
        at += sizeof value;
        return value;
    }
    std::string string() {
        const std::string text = bytes.c_str() + at;
        at += text.size() + 1;
        return text;
    }
    std::string some(std::size_t size) {
        at += size;
        return bytes.substr(at - size, size);
    }
    std::string bytes;
    std::size_t at = 0;
};

}  // namespace

TEST_CASE("a plan holds arguments, environment, secrets, folder and files in this order",
          "[runner]") {
    auto start = good_start();
    start.working_folder = "src/app";
    start.files = {{"triggers/1.json", std::string{"{}\0x", 4}}, {"empty", ""}};
    start.secrets = {named({"PAN_SEC_MY-APP_KEY", "PAN_SEC_MY_APP_KEY"}), named({"PAN_SEC_B"})};
    std::vector<Secret> secrets;
    secrets.emplace_back("k3y=\n");
    secrets.emplace_back("");
    const auto plan = make_plan(start, secrets);
    REQUIRE(plan);

    Read read{contents(*plan)};
    const auto header = read.record<ipc::PlanHeader>();
    CHECK(header.bytes == read.bytes.size());
    CHECK(header.argc == 3);
    CHECK(header.envc == 5);
    CHECK(header.filec == 2);
    const std::size_t strings_begin = read.at;
    for (const char* text :
         {"/bin/sh", "-c", "echo hi", "A=1", "EMPTY=", "PAN_SEC_MY-APP_KEY=k3y=\n",
          "PAN_SEC_MY_APP_KEY=k3y=\n", "PAN_SEC_B=", "/app/src/app"})
        CHECK(read.string() == text);
    CHECK(read.at - strings_begin == header.strings_bytes);
    auto file = read.record<ipc::PlanFile>();
    CHECK(file.name_bytes == sizeof "triggers/1.json");
    CHECK(file.content_bytes == 4);
    CHECK(read.string() == "triggers/1.json");
    CHECK(read.some(4) == start.files[0].content);
    file = read.record<ipc::PlanFile>();
    CHECK(read.string() == "empty");
    CHECK(file.content_bytes == 0);
    CHECK(read.at == read.bytes.size());
}

TEST_CASE("a plan too large for a packet lies in memory that can be changed by nobody",
          "[runner]") {
    auto start = good_start();
    const auto small = make_plan(start, {});
    REQUIRE(small);
    REQUIRE_FALSE(small->memory);
    start.files = {{"data", std::string(ipc::kPlanPacketBytes - small->packet.size() -
                                            sizeof(ipc::PlanFile) - sizeof "data",
                                        'x')}};
    const auto largest = make_plan(start, {});
    REQUIRE(largest);
    CHECK_FALSE(largest->memory);
    CHECK(largest->packet.size() == ipc::kPlanPacketBytes);

    start.files[0].content += 'x';
    const auto plan = make_plan(start, {});
    REQUIRE(plan);
    const std::string all = contents(*plan);
    CHECK(all.size() == ipc::kPlanPacketBytes + 1);
    CHECK(all.compare(0, sizeof(ipc::PlanHeader), plan->packet.data(), plan->packet.size()) == 0);
    const int fd = plan->memory.get();
    CHECK(::fcntl(fd, F_GET_SEALS) == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
    CHECK(::fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(::pwrite(fd, "x", 1, 0) == -1);
    CHECK(errno == EPERM);
    CHECK(::ftruncate(fd, 1) == -1);
    CHECK(errno == EPERM);
}

TEST_CASE("what is wrong with a start is named by its field and never by its value", "[runner]") {
    struct Row {
        const char* field;
        const char* message;
        std::function<void(ipc::Start&)> spoil;
    };
    const std::string nul{"a\0b", 3};
    const Row rows[] = {
        {"argv", "'argv' is empty: there is nothing to execute", [](auto& s) { s.argv = {}; }},
        {"argv", "'argv' begins with a program that is not an absolute path",
         [](auto& s) { s.argv[0] = "sh"; }},
        {"argv", "'argv' begins with a program that is not an absolute path",
         [](auto& s) { s.argv[0] = ""; }},
        {"argv", "'argv' has an argument with a zero byte", [&](auto& s) { s.argv[1] = nul; }},
        {"argv", "'argv' has an argument over 131071 bytes",
         [](auto& s) { s.argv[1] = std::string(limits::kEnvEntryBytes + 1, 'x'); }},
        {"argv", "'argv' has 1572883 bytes, 1572864 are allowed",
         [](auto& s) { s.argv.resize(15, std::string(limits::kEnvEntryBytes, 'x')); }},
        {"env", "'env' has an entry without '='", [](auto& s) { s.env = {"SECRETVALUE"}; }},
        {"env", "'env' has an entry without a name", [](auto& s) { s.env = {"=SECRETVALUE"}; }},
        {"env", "'env' has a zero byte in the value of 'A'",
         [&](auto& s) { s.env = {"A=" + nul}; }},
        {"env", "'env' has a name with '=' or a zero byte", [&](auto& s) { s.env = {nul + "=1"}; }},
        {"env", "'env' has 131072 bytes in 'A', 131071 are allowed",
         [](auto& s) { s.env = {"A=" + std::string(limits::kEnvEntryBytes - 1, 'x')}; }},
        {"secrets", "'secrets' has a name with '=' or a zero byte",
         [](auto& s) { s.secrets[0].names = {"A=B"}; }},
        {"files", "'files' has the name '../x', which is not a plain path below /work",
         [](auto& s) {
             s.files = {{"../x", ""}};
         }},
        {"files", "'files' has the name '', which is not a plain path below /work",
         [](auto& s) {
             s.files = {{"", ""}};
         }},
        {"files", "'files' has the name '/etc/passwd', which is not a plain path below /work",
         [](auto& s) {
             s.files = {{"/etc/passwd", ""}};
         }},
        {"files", "'files' has the name 'a//b', which is not a plain path below /work",
         [](auto& s) {
             s.files = {{"a//b", ""}};
         }},
        {"working_folder", "'working_folder' is '..', which is not a plain path below /app",
         [](auto& s) { s.working_folder = ".."; }},
        {"working_folder", "'working_folder' is 'a/..', which is not a plain path below /app",
         [](auto& s) { s.working_folder = "a/.."; }},
        {"wall_time_s", "'wall_time_s' is 0, allowed are 1 to 86400",
         [](auto& s) { s.wall_time_s = 0; }},
        {"wall_time_s", "'wall_time_s' is 86401, allowed are 1 to 86400",
         [](auto& s) { s.wall_time_s = 86401; }},
    };
    std::vector<Secret> secrets;
    secrets.emplace_back("SECRETVALUE");
    for (const Row& row : rows) {
        auto start = good_start();
        start.secrets = {named({"PAN_SEC_A"})};
        row.spoil(start);
        const auto plan = make_plan(start, secrets);
        INFO(row.message);
        REQUIRE_FALSE(plan);
        CHECK(plan.error().kind == FailureKind::invalid);
        CHECK(plan.error().where == row.field);
        CHECK(plan.error().message == row.message);
        CHECK(plan.error().message.find("SECRETVALUE") == std::string::npos);
    }
}

TEST_CASE("a secret with a zero byte cannot become a variable", "[runner]") {
    auto start = good_start();
    start.secrets = {named({"PAN_SEC_A"})};
    std::vector<Secret> secrets;
    secrets.emplace_back(std::string_view{"a\0b", 3});
    const auto plan = make_plan(start, secrets);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().message == "'secrets' has a zero byte in the value of 'PAN_SEC_A'");
}

TEST_CASE("a build request carries names and limits, and refuses what is no name", "[runner]") {
    auto request = make_build_request(good_start());
    REQUIRE(request);
    CHECK(std::string{request->kind.runtime} == "host");
    CHECK(std::string{request->assignment.release} == "abc123");
    CHECK(request->assignment.limits.memory_bytes == limits::kMemoryBytes);
    CHECK(request->assignment.limits.scratch_bytes == limits::kScratchBytes);

    struct Row {
        const char* message;
        std::function<void(ipc::Start&)> spoil;
    };
    const Row rows[] = {
        {"'runtime' is not a short name of one path component", [](auto& s) { s.runtime = ""; }},
        {"'runtime' is not a short name of one path component",
         [](auto& s) { s.runtime = std::string(64, 'x'); }},
        {"'release' is not a short name of one path component",
         [](auto& s) { s.release = "../etc"; }},
        {"'release' is not a short name of one path component", [](auto& s) { s.release = ".."; }},
        {"'release' is not a short name of one path component", [](auto& s) { s.release = "a/b"; }},
        {"'network' is a kind this program does not know", [](auto& s) { s.network = 3; }},
        {"'memory_bytes' must not be 0", [](auto& s) { s.memory_bytes = 0; }},
    };
    for (const Row& row : rows) {
        auto start = good_start();
        row.spoil(start);
        const auto refused = make_build_request(start);
        INFO(row.message);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message == row.message);
    }
}
