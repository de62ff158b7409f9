// The small ones: crypto's known answers, secrets, the log, callbacks, failures.
#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <set>
#include <type_traits>

#include "base/callback.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

using namespace berth;

TEST_CASE("hashes have their known answers", "[base]") {
    CHECK(to_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // RFC 4231, cases 1, 2 and 6 (a key longer than a block)
    CHECK(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(to_hex(hmac_sha256(std::string(131, '\xaa'),
                             "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("equality in constant time is still equality", "[base]") {
    CHECK(equal_constant_time("", ""));
    CHECK(equal_constant_time("abc", "abc"));
    CHECK_FALSE(equal_constant_time("abc", "abd"));
    CHECK_FALSE(equal_constant_time("abc", "ab"));
    CHECK_FALSE(equal_constant_time("", "a"));
}

TEST_CASE("random bytes and ids do not repeat", "[base]") {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = random_id();
        REQUIRE(id.size() == 32);
        REQUIRE(from_hex(id));
        REQUIRE(seen.insert(id).second);
    }
    CHECK(random_bytes(100'000).size() == 100'000);  // more than one getrandom(2) may give
    CHECK(random_bytes(0).empty());
}

TEST_CASE("a secret is moved, never copied or printed", "[base]") {
    static_assert(!std::is_copy_constructible_v<Secret>);
    static_assert(!std::is_copy_assignable_v<Secret>);
    static_assert(!fmt::is_formattable<Secret>::value);
    static_assert(!std::is_convertible_v<Secret, std::string_view>);
    Secret first{"hunter22"};
    Secret second = std::move(first);
    CHECK(first.empty());
    CHECK(second.reveal() == "hunter22");
    Secret third{"x"};
    third = std::move(second);
    CHECK(third.reveal() == "hunter22");
    CHECK(Secret{""}.empty());
    CHECK(Secret{}.reveal().empty());
    CHECK(Secret::of_size(4).reveal() == std::string_view{"\0\0\0\0", 4});
}

TEST_CASE("a log line reaches the sink with its fields", "[base]") {
    std::vector<std::string> lines;
    set_log_sink([&](LogLevel level, std::string_view text, LogFields fields) {
        std::string line = fmt::format("{}: {}", to_string(level), text);
        for (const LogField& field : fields)
            line += fmt::format(" {}={}", field.name, field.value);
        lines.push_back(line);
    });
    log_error("cannot start", {{"run", 7}, {"tenant", "acme"}});
    log_warning("slow");
    log_info("started", {{"ratio", 1.5}});
    set_log_sink({});
    CHECK(lines == std::vector<std::string>{"error: cannot start run=7 tenant=acme",
                                            "warning: slow", "info: started ratio=1.5"});
}

TEST_CASE("a callback is called once, with what it owns", "[base]") {
    int got = 0;
    auto owned = std::make_unique<int>(40);
    Callback<void(int)> callback{
        [&got, owned = std::move(owned)](int more) { got = *owned + more; }};
    CHECK(callback);
    Callback<void(int)> moved = std::move(callback);
    CHECK_FALSE(callback);
    moved(2);
    CHECK(got == 42);
    CHECK_FALSE(moved);
    CHECK_FALSE(Callback<void()>{});
}

TEST_CASE("a callback may drop its own owner", "[base]") {
    struct Owner {
        Callback<void()> callback;
    };
    auto owner = std::make_unique<Owner>();
    bool ran = false;
    owner->callback = [&] {
        owner.reset();
        ran = true;
    };
    owner->callback();
    CHECK(ran);
    CHECK_FALSE(owner);
}

TEST_CASE("failures carry kind, text and place, and system errors their errno", "[base]") {
    const auto refuse = []() -> Result<int> {
        return fail_at(FailureKind::conflict, "name", "cannot rename '{}'", "x");
    };
    Result<int> refused = refuse();
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == Failure{FailureKind::conflict, "cannot rename 'x'", "name"});
    const Result<std::string> passed = pass_on(refused);
    CHECK(passed.error().message == "cannot rename 'x'");

    CHECK(check(7, "counting") == 7);
    try {
        errno = ENOSPC;
        check(-1, "syncing '{}'", "a");
        FAIL("nothing was thrown");
    } catch (const SystemError& error) {
        CHECK(error.err() == ENOSPC);
        CHECK(std::string{error.what()} == "syncing 'a': No space left on device");
    }
}
