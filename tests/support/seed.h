// Randomness for tests that can be played again: the seed is printed, and
// BERTH_SEED takes it back.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace berth::test {

inline std::mt19937_64 seeded_random(const char* what) {
    const char* given = std::getenv("BERTH_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << what << ": BERTH_SEED=" << seed << '\n';
    return std::mt19937_64{seed};
}

inline std::size_t below(std::mt19937_64& random, std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
}

inline std::string random_text(std::mt19937_64& random, std::size_t size,
                               std::string_view alphabet) {
    std::string text;
    while (text.size() < size)
        text += alphabet[below(random, alphabet.size())];
    return text;
}

}  // namespace berth::test
