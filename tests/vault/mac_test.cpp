// MACs of webhooks: published vectors, every wrong claim, keys as providers write them, and
// that comparing takes the same number of instructions wherever a claim is wrong.
#include "vault/mac.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <concepts>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/text.h"

using namespace berth;
using namespace berth::vault;

static_assert(!std::equality_comparable<Mac>, "an == on a Mac would end at the first wrong byte");
static_assert(!std::totally_ordered<Mac>);

namespace {

std::string bytes(std::string_view hex) { return from_hex(hex).value(); }

std::string decoded(std::string_view stored, std::string_view prefix, MacKeyForm form) {
    const auto key = decode_mac_key(Secret{stored}, prefix, form);
    return key ? to_hex(key->reveal()) : key.error().message;
}

// How many instructions of its own a process needs for `work`, exactly.
long instructions_of(const std::function<void()>& work) {
    const pid_t child = check(::fork(), "forking");
    if (child == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
        work();
        ::raise(SIGSTOP);
        ::_exit(0);
    }
    long steps = 0;
    int status = 0;
    check(::waitpid(child, &status, 0), "waiting for the child's start");
    for (;;) {
        check(::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr), "stepping");
        check(::waitpid(child, &status, 0), "waiting for a step");
        if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP) break;
        ++steps;
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return steps;
}

}  // namespace

TEST_CASE("published HMAC vectors fit, and nothing near them", "[vault]") {
    // RFC 2202 and RFC 4231, case 2.
    const Secret key{"Jefe"};
    const std::string message = "what do ya want for nothing?";
    const auto [kind, mac] = GENERATE(table<MacKind, std::string>({
        {MacKind::hmac_sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {MacKind::hmac_sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {MacKind::hmac_sha512,
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
         "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
    }));
    const Mac right = Mac::of(kind, key, message);
    const std::string claim = bytes(mac);
    CHECK(right.fits(claim));
    for (std::size_t bit = 0; bit < claim.size() * 8; ++bit) {
        std::string wrong = claim;
        wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ 1 << bit % 8);
        CHECK_FALSE(right.fits(wrong));
    }
    for (std::size_t size = 0; size < claim.size(); ++size)
        CHECK_FALSE(right.fits(claim.substr(0, size)));
    CHECK_FALSE(right.fits(claim + '\0'));
    CHECK_FALSE(right.fits(mac));  // the hex form itself
    CHECK_FALSE(Mac::of(kind, key, message + " ").fits(claim));
    CHECK_FALSE(Mac::of(kind, Secret{"jefe"}, message).fits(claim));
    CHECK_FALSE(Mac::of(MacKind::token, key, message).fits(claim));
}

TEST_CASE("a token fits only itself, whatever the message", "[vault]") {
    const Mac token = Mac::of(MacKind::token, Secret{"glpat-secret"}, "any message");
    CHECK(token.fits("glpat-secret"));
    CHECK_FALSE(token.fits("glpat-secreT"));
    CHECK_FALSE(token.fits("glpat-secret "));
    CHECK_FALSE(token.fits("glpat"));
    CHECK_FALSE(token.fits(""));
}

TEST_CASE("one right claim among several is enough, none is not", "[vault]") {
    const Mac token = Mac::of(MacKind::token, Secret{"right"}, "");
    CHECK(any_fits(token, std::vector<std::string>{"wrong", "right", "wrong"}));
    CHECK_FALSE(any_fits(token, std::vector<std::string>{"wrong", ""}));
    CHECK_FALSE(any_fits(token, {}));
}

TEST_CASE("a signature is right under its signer's public key and for its message only",
          "[vault]") {
    // NIST's CAVP, SigVer of P-256 with SHA-256: the key, the message, r and s in DER.
    const Secret key{
        bytes("3059301306072a8648ce3d020106082a8648ce3d03010703420004e424dc61d4bb3cb7ef4344a7f8957a"
              "0c5134e1"
              "6f7a67c074f82e6e12f49abf3c970eed7aa2bc48651545949de1dddaf0127e5965ac85d1243d6f60e7df"
              "aee927")};
    const std::string message = bytes(
        "e1130af6a38ccb412a9c8d13e15dbfc9e69a16385af3c3f1e5da954fd5e7c45fd75e2b8c36699228e92840c056"
        "2f"
        "bf3772f07e17f1add56588dd45f7450e1217ad239922dd9c32695dc71ff2424ca0dec1321aa47064a044b7fe3c"
        "2b"
        "97d03ce470a592304c5ef21eed9f93da56bb232d1eeb0035f9bf0dfafdcc4606272b20a3");
    const std::string signature = bytes(
        "3045022100bf96b99aa49c705c910be33142017c642ff540c76349b9dab72f981fd9347f4f022017c550958190"
        "89"
        "c2e03b9cd415abdf12444e323075d98f31920b9e0f57ec871c");
    const auto right = [&](const std::string& text, const std::string& claim) {
        const auto said = any_right(MacKind::ecdsa_p256, key, text, std::vector{claim});
        REQUIRE(said);
        return *said;
    };
    CHECK(right(message, signature));
    CHECK_FALSE(right(message + " ", signature));
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
        std::string wrong = signature;
        wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ 1 << bit % 8);
        CHECK_FALSE(right(message, wrong));
    }
    for (std::size_t size = 0; size < signature.size(); ++size)
        CHECK_FALSE(right(message, signature.substr(0, size)));
    CHECK(*any_right(MacKind::ecdsa_p256, key, message,
                     std::vector<std::string>{"x", signature, ""}));
    CHECK_FALSE(*any_right(MacKind::ecdsa_p256, key, message, {}));
    // What is no public key of that curve is told, and nothing of it.
    for (const std::string& text :
         {std::string{"x"}, std::string{key.reveal()} + "x", std::string(91, '\0')}) {
        const auto said = any_right(MacKind::ecdsa_p256, Secret{text}, message, {});
        REQUIRE_FALSE(said);
        CHECK(said.error().message ==
              "the key is no public key of P-256; store it as the provider shows it");
    }
}

TEST_CASE("keys are read as the providers write them", "[vault]") {
    using enum MacKeyForm;
    CHECK(decoded("whsec_AAEC/w==", "whsec_", base64) == "000102ff");
    CHECK(decoded("AAEC_w", "whsec_", base64) == "000102ff");
    CHECK(decoded("00fFaB", "", hex) == "00ffab");
    CHECK(decoded("whsec_key", "whsec_", raw) == to_hex("key"));
    CHECK(decoded("whsec_key", "", raw) == to_hex("whsec_key"));
}

TEST_CASE("a key that cannot be read is refused without its value", "[vault]") {
    using enum MacKeyForm;
    const std::string no_base64 = "the key is not in base64; store it as the provider shows it";
    for (const char* text : {"A", "AAAAA", "AA?A", "A===", "AA=A", "AAAA====", "whsec_AAAA*"})
        CHECK(decoded(text, "", base64) == no_base64);
    for (const char* text : {"0", "0g", "0x00", "00 11"})
        CHECK(decoded(text, "", hex) ==
              "the key is not in hex digits; store it as the provider shows it");
    for (const auto form : {raw, base64, hex})
        CHECK(decoded("whsec_", "whsec_", form) == "the key is empty; store it again");
}

TEST_CASE("a claim wrong at any place takes the same number of instructions", "[vault]") {
    std::string known(64, 'a');
    std::string claim = known;
    // The comparison that Mac uses, alone: the rest of fits() does not depend on the bytes.
    const auto steps_of = [&](int (*compare)(const void*, const void*, std::size_t)) {
        std::set<long> counts;
        for (std::size_t at = 0; at < known.size(); ++at) {
            claim = known;
            claim[at] = 'b';
            counts.insert(instructions_of([&] { (void)compare(known.data(), claim.data(), 64); }));
        }
        return counts;
    };
    const auto counts = steps_of(&CRYPTO_memcmp);
    CHECK(counts.size() == 1);
    CHECK(*counts.begin() > 64);  // it was measured

    // What the measurement finds of a comparison that ends early.
    const auto naive = [](const void* a, const void* b, std::size_t size) {
        const auto* x = static_cast<const volatile char*>(a);
        const auto* y = static_cast<const volatile char*>(b);
        for (std::size_t i = 0; i < size; ++i)
            if (x[i] != y[i]) return 1;
        return 0;
    };
    CHECK(steps_of(+naive).size() == 64);
}
