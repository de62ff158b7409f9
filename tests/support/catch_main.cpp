// Catch2's main, compiled once for all test programs. What is merely logged about a change of
// state is left out, so that a report shows what failed: BERTH_TEST_LOG=1 brings it back.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "base/log.h"

namespace {

void only_trouble(berth::LogLevel level, std::string_view text, berth::LogFields fields) {
    if (level == berth::LogLevel::info) return;
    std::cerr << to_string(level) << ": " << text;
    for (const auto& field : fields)
        std::cerr << ' ' << field.name << '=' << field.value;
    std::cerr << '\n';
}

}  // namespace

int main(int argc, char** argv) {
    if (std::getenv("BERTH_TEST_LOG") == nullptr) berth::set_log_sink(only_trouble);
    return Catch::Session().run(argc, argv);
}
