// The plan's parser, on bytes alone.
#include "sandbox/launcher/plan.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/seed.h"

using namespace berth;
using launcher::File;
using launcher::Plan;

namespace {

struct Bytes {
    ipc::PlanHeader header;
    std::string memory;
};

Bytes plan_bytes(const std::string& strings, std::uint32_t argc, std::uint32_t envc,
                 const std::string& files = "", std::uint32_t filec = 0) {
    Bytes bytes;
    bytes.header.argc = argc;
    bytes.header.envc = envc;
    bytes.header.filec = filec;
    bytes.header.strings_bytes = static_cast<std::uint32_t>(strings.size());
    bytes.header.bytes = sizeof bytes.header + strings.size() + files.size();
    bytes.memory.append(reinterpret_cast<const char*>(&bytes.header), sizeof bytes.header);
    bytes.memory += strings + files;
    return bytes;
}

std::string file_bytes(const std::string& name, const std::string& content) {
    const ipc::PlanFile head{static_cast<std::uint32_t>(name.size() + 1), 04640, content.size()};
    std::string bytes{reinterpret_cast<const char*>(&head), sizeof head};
    bytes.append(name.c_str(), name.size() + 1);
    return bytes + content;
}

struct Parsed {
    int err = 0;
    Plan plan;
    std::vector<char*> pointers;
};

Parsed parse(Bytes& bytes) {
    Parsed parsed;
    parsed.pointers.resize(launcher::plan_pointers(bytes.header));
    parsed.err = launcher::parse_plan(bytes.header, bytes.memory, parsed.pointers, parsed.plan);
    return parsed;
}

const std::string kStrings{"/bin/x\0-a\0K=V\0/app\0", 19};

}  // namespace

TEST_CASE("a plan is read where it lies", "[launcher]") {
    Bytes bytes = plan_bytes(kStrings, 2, 1, file_bytes("a/b", "text") + file_bytes("c", ""), 2);
    Parsed parsed = parse(bytes);
    REQUIRE(parsed.err == 0);
    CHECK(std::string{parsed.plan.argv[0]} == "/bin/x");
    CHECK(std::string{parsed.plan.argv[1]} == "-a");
    CHECK(parsed.plan.argv[2] == nullptr);
    CHECK(std::string{parsed.plan.envp[0]} == "K=V");
    CHECK(parsed.plan.envp[1] == nullptr);
    CHECK(std::string{parsed.plan.folder} == "/app");
    File file;
    REQUIRE(launcher::next_file(parsed.plan.files, file));
    CHECK(std::string{file.name} == "a/b");
    CHECK(file.mode == 0640);
    CHECK(std::string(file.content.data(), file.content.size()) == "text");
    REQUIRE(launcher::next_file(parsed.plan.files, file));
    CHECK(std::string{file.name} == "c");
    CHECK_FALSE(launcher::next_file(parsed.plan.files, file));
    CHECK(parsed.plan.files.empty());
}

TEST_CASE("strings that do not add up are refused", "[launcher]") {
    Bytes bytes;
    SECTION("too few") { bytes = plan_bytes(kStrings, 2, 2); }
    SECTION("too many") { bytes = plan_bytes(kStrings, 1, 1); }
    SECTION("no end") { bytes = plan_bytes(kStrings.substr(0, 18), 2, 1); }
    SECTION("a relative program") { bytes = plan_bytes({"x\0/app\0", 7}, 1, 0); }
    SECTION("a relative folder") { bytes = plan_bytes({"/x\0app\0", 7}, 1, 0); }
    SECTION("an empty program") { bytes = plan_bytes({"\0/app\0", 6}, 1, 0); }
    CHECK(parse(bytes).err == EINVAL);
}

TEST_CASE("a file outside the work folder is refused", "[launcher]") {
    const char* name =
        GENERATE("", "/etc/x", "../x", "a/../../x", "a//b", "./a", "a/", "..", ".", "a/.");
    INFO(name);
    Bytes bytes = plan_bytes(kStrings, 2, 1, file_bytes(name, "text"), 1);
    CHECK(parse(bytes).err == EINVAL);
}

TEST_CASE("files that do not add up are refused", "[launcher]") {
    std::string files = file_bytes("name", "text");
    std::uint32_t count = 1;
    SECTION("more than there are") { count = 2; }
    SECTION("fewer than there are") { count = 0; }
    SECTION("a cut one") { files.pop_back(); }
    SECTION("one byte more") { files += 'x'; }
    SECTION("an endless content") { std::memset(files.data() + 8, 0xff, 8); }
    SECTION("an endless name") { std::memset(files.data(), 0xff, 4); }
    Bytes bytes = plan_bytes(kStrings, 2, 1, files, count);
    CHECK(parse(bytes).err == EINVAL);
}

TEST_CASE("damaged plans are refused or read within their bounds", "[launcher]") {
    auto random = test::seeded_random("plan");
    for (int i = 0; i < 20'000; ++i) {
        Bytes bytes = plan_bytes(kStrings, 2, 1, file_bytes("a/b", "text"), 1);
        for (std::size_t n = 1 + test::below(random, 4); n > 0; --n)
            bytes.memory[test::below(random, bytes.memory.size())] =
                static_cast<char>(test::below(random, 256));
        if (test::below(random, 4) == 0)
            bytes.memory.resize(sizeof bytes.header + test::below(random, 40));
        std::memcpy(&bytes.header, bytes.memory.data(), sizeof bytes.header);
        if (launcher::plan_pointers(bytes.header) > 1'000) continue;
        const Parsed parsed = parse(bytes);
        CHECK((parsed.err == 0 || parsed.err == EINVAL));
    }
}
