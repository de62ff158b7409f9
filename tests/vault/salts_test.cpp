// S4: no salt repeats, and so no one-time key: not among many seals, and not among copies of
// one process, as of one image of a machine. BERTH_SEALS says how many (reliability.md: 10^7).
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <vector>

#include "base/error.h"
#include "base/pipe.h"
#include "vault/keeper.h"
#include "vault/seal.h"

using namespace berth;
using namespace berth::vault;

namespace {

constexpr std::size_t kSaltAt = 10;
using Salt = std::array<char, 32>;

Salt salt_of_next_seal() {
    static const DataKey kKey = make_data_key(1, {ScopeKind::tenant, 7});
    static const Identity kPlace{
        std::string(16, 'i'), kKey.scope, ObjectKind::connector, 3, "api_key", 1};
    const auto sealed = seal(kKey.bytes, kKey.id, Purpose::secret, kPlace, "a token").value();
    Salt salt{};
    std::memcpy(salt.data(), sealed.data() + kSaltAt, salt.size());
    return salt;
}

std::size_t repeated(std::vector<Salt> salts) {
    std::ranges::sort(salts);
    std::size_t found = 0;
    for (std::size_t i = 1; i < salts.size(); ++i)
        found += salts[i] == salts[i - 1] ? 1U : 0U;
    return found;
}

// What a copy of this process, as it is now, seals with.
std::vector<Salt> salts_of_copy(std::size_t count) {
    Pipe pipe = make_pipe();
    const pid_t child = check(::fork(), "forking");
    if (child == 0) {
        for (std::size_t i = 0; i < count; ++i) {
            const Salt salt = salt_of_next_seal();
            if (::write(pipe.write.get(), salt.data(), salt.size()) < 0) ::_exit(1);
        }
        ::_exit(0);
    }
    pipe.write.reset();
    std::vector<Salt> salts;
    for (Salt salt{};
         ::read(pipe.read.get(), salt.data(), salt.size()) == static_cast<ssize_t>(salt.size());)
        salts.push_back(salt);
    int status = 0;
    check(::waitpid(child, &status, 0), "waiting for the copy");
    REQUIRE(status == 0);
    return salts;
}

}  // namespace

TEST_CASE("no two seals have the same salt", "[vault]") {
    const char* given = std::getenv("BERTH_SEALS");
    const std::size_t count = given != nullptr ? std::strtoul(given, nullptr, 10) : 100'000;
    std::vector<Salt> salts;
    salts.reserve(count + 1);
    while (salts.size() < count)
        salts.push_back(salt_of_next_seal());
    const auto twice = repeated(salts);
    std::cout << count << " seals, " << twice << " salts repeated\n";
    CHECK(twice == 0);
    salts.push_back(salts[count / 2]);  // the control
    CHECK(repeated(std::move(salts)) == 1);
}

TEST_CASE("a hundred copies of one process seal with salts of their own", "[vault]") {
    std::vector<Salt> salts{salt_of_next_seal()};  // the generator is in use before the copies
    for (int copy = 0; copy < 100; ++copy) {
        const auto more = salts_of_copy(20);
        REQUIRE(more.size() == 20);
        salts.insert(salts.end(), more.begin(), more.end());
    }
    CHECK(salts.size() == 2'001);
    CHECK(repeated(std::move(salts)) == 0);
}
