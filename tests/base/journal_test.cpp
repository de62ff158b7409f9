// Entries for the journal, read back by the rules of its protocol.
#include "base/journal.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <string>

#include "base/file.h"
#include "base/pipe.h"

using namespace berth;

namespace {

// The reader's side of the protocol: `NAME=value\n`, or `NAME\n`, 8 bytes of length, value, '\n'.
std::map<std::string, std::string> read_entry(const std::string& entry) {
    std::map<std::string, std::string> fields;
    for (std::size_t at = 0; at < entry.size();) {
        const std::size_t end = entry.find_first_of("=\n", at);
        REQUIRE(end != std::string::npos);
        const std::string name = entry.substr(at, end - at);
        std::size_t begin = end + 1, size = 0;
        if (entry[end] == '=') {
            size = entry.find('\n', begin) - begin;
        } else {
            for (unsigned i = 0; i < 8; ++i)
                size |= std::size_t{static_cast<unsigned char>(entry.at(begin + i))} << (8 * i);
            begin += 8;
        }
        REQUIRE(entry.at(begin + size) == '\n');
        fields[name] = entry.substr(begin, size);
        at = begin + size + 1;
    }
    return fields;
}

}  // namespace

TEST_CASE("a line's fields are fields of its own in the journal", "[base]") {
    const auto fields = read_entry(journal_entry("berthd", LogLevel::warning, "the run is late",
                                                 {{"run", 7}, {"tenant", "acme"}}));
    CHECK(fields ==
          std::map<std::string, std::string>{{"MESSAGE", "the run is late run=7 tenant=acme"},
                                             {"PRIORITY", "4"},
                                             {"SYSLOG_IDENTIFIER", "berthd"},
                                             {"BERTH_RUN", "7"},
                                             {"BERTH_TENANT", "acme"}});
}

TEST_CASE("each level has the number that syslog gives it", "[base]") {
    const auto priority = [](LogLevel level) {
        return read_entry(journal_entry("x", level, "text", {})).at("PRIORITY");
    };
    CHECK(priority(LogLevel::error) == "3");
    CHECK(priority(LogLevel::warning) == "4");
    CHECK(priority(LogLevel::info) == "6");
}

TEST_CASE("no value can make a field or an entry of its own", "[base]") {
    const std::string evil = "7\nPRIORITY=0\n\nMESSAGE=forged";
    const auto fields = read_entry(
        journal_entry("berthd", LogLevel::info, "text " + evil, {{"run", evil}, {"a b\n=", evil}}));
    CHECK(fields.at("PRIORITY") == "6");
    CHECK(fields.size() == 5);
    CHECK(fields.count("BERTH_A_B__") == 1);
    CHECK(fields.at("MESSAGE").rfind("text 7", 0) == 0);
}

TEST_CASE("a value of several lines, where one comes, is written with its length", "[base]") {
    // The texts are made printable; the program's name is the caller's own.
    CHECK(read_entry(journal_entry("a\nb", LogLevel::info, "t", {})).at("SYSLOG_IDENTIFIER") ==
          "a\nb");
}

TEST_CASE("only the very stream that systemd names is the journal", "[base]") {
    const Pipe pipe = make_pipe();
    const Pipe other = make_pipe();
    struct stat info {};
    REQUIRE(::fstat(pipe.write.get(), &info) == 0);
    const auto named = fmt::format("{}:{}", info.st_dev, info.st_ino);
    CHECK(is_journal(named, pipe.write.get()));
    CHECK_FALSE(is_journal(named, other.write.get()));  // redirected since
    CHECK_FALSE(is_journal("", pipe.write.get()));
    CHECK_FALSE(is_journal(named, -1));
}
