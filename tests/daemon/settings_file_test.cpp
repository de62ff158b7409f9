// The package's /etc/berth/berth.conf: it explains every setting there is, and is right.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "daemon/config_keys.h"
#include "daemon/reload.h"

using namespace berth;

namespace {

std::string packaged() {
    auto text = read_file(BERTH_SOURCE_DIR "/packaging/berth.conf", 1 << 20);
    REQUIRE(text);
    return *text;
}

// `key = value` of a line, with or without a '#' in front; nothing: it is prose.
std::optional<std::pair<std::string, std::string>> setting_of(std::string_view line) {
    line = trim(line);
    if (line.starts_with("# ")) line.remove_prefix(2);
    const auto equals = line.find(" = ");
    if (equals == std::string_view::npos) return {};
    const auto key = line.substr(0, equals);
    if (key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.-*") != std::string_view::npos)
        return {};
    return std::pair{std::string{key}, std::string{line.substr(equals + 3)}};
}

// These show an example where the default is nothing.
const std::set<std::string> kExamples{"connector_kinds",   "daemon_uid",   "runner_uid",
                                      "egress_allow",      "egress_ports", "root_key_command",
                                      "previous_root_keys"};

}  // namespace

TEST_CASE("the packaged settings are right as they are, and change nothing", "[daemon]") {
    const auto config = parse_config(packaged(), "berth.conf");
    REQUIRE(config);
    CHECK(changed_settings(parse_config("", "none").value(), *config).empty());
}

TEST_CASE("every setting is explained in the packaged file, and none that is not there",
          "[daemon]") {
    std::map<std::string, int> found;
    std::string above;
    for (const std::string& line : split(packaged(), '\n')) {
        if (const auto setting = setting_of(line)) {
            ++found[setting->first];
            INFO(setting->first);
            CHECK_FALSE(above.empty());  // words, or another setting under the same words
        }
        above = std::string{trim(line)};
    }
    for (const std::string& name : setting_names()) {
        INFO(name);
        CHECK(found[name] == 1);
    }
    for (const auto& [name, count] : found) {
        INFO(name);
        Config config;
        CHECK((name.starts_with("grant.") || set_key(config, name, "") != std::nullopt));
    }
}

TEST_CASE("what is commented out in the packaged file is the default, or a right example",
          "[daemon]") {
    const Config defaults = parse_config("", "none").value();
    for (const std::string& line : split(packaged(), '\n')) {
        const auto setting = setting_of(line);
        if (!setting) continue;
        const auto& [key, value] = *setting;
        INFO(key << " = " << value);
        const auto config = parse_config(key + " = " + value, "c");
        REQUIRE(config);
        if (kExamples.contains(key) || key.starts_with("grant.")) continue;
        CHECK(changed_settings(defaults, *config).empty());
    }
}
