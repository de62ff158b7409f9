// The providers' own libraries and Berth, judging each other: what they sign is right by the
// kinds that come with Berth, and what is right here is right there. From npm, pinned in
// tests/npm; `./dev npm` fetches them.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "connectors/kind_reader.h"
#include "tests/support/seed.h"
#include "tests/webhooks/schemes.h"

using namespace berth;
using namespace berth::testing;
using namespace std::chrono_literals;

namespace {

const std::string kLibraries = BERTH_SOURCE_DIR "/build/npm";

// Why there are none; the build of CI demands them.
bool has_libraries() {
    const bool there = std::filesystem::exists(kLibraries + "/node_modules") &&
                       std::system("node --version >/dev/null 2>&1") == 0;
    const char* required = std::getenv("BERTH_REQUIRE_NPM");
    if (!there && required != nullptr && std::string{required} == "1")
        FAIL("no libraries in " << kLibraries << "; './dev npm' fetches them");
    if (!there) std::cout << "skipped: no libraries of providers; './dev npm' fetches them\n";
    return there;
}

// What a script of tests/npm prints, by line.
std::vector<std::string> output_of(const std::string& script, const std::string& arguments) {
    const auto command = fmt::format("cd '{}' && node --input-type=module - {} < '{}/tests/npm/{}'",
                                     kLibraries, arguments, BERTH_SOURCE_DIR, script);
    FILE* pipe = ::popen(command.c_str(), "re");
    REQUIRE(pipe != nullptr);
    std::string text;
    std::array<char, 4096> piece{};
    for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
        text.append(piece.data(), got);
    REQUIRE(::pclose(pipe) == 0);
    std::vector<std::string> lines = split(text, '\n');
    std::erase(lines, "");
    return lines;
}

WebhookScheme shipped_scheme(const std::string& kind) {
    const auto file = kind + ".yaml";
    const auto text = read_file(BERTH_SOURCE_DIR "/connectors/kinds/" + file, 1 << 20);
    REQUIRE(text);
    const auto read = read_kind(*text, file);
    if (!read) FAIL(read.error().message);
    REQUIRE(read->webhook);
    return *read->webhook;
}

HookRequest request_of(const Json& said) {
    HookRequest request;
    request.method = said["method"];
    request.url = said["url"];
    request.body = said["body"];
    for (const auto& [name, value] : said["headers"].items())
        request.headers.emplace_back(name, value.get<std::string>());
    if (const auto mark = request.url.find('?'); mark != std::string::npos) {
        const auto pair = request.url.substr(mark + 1);
        request.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
    }
    return request;
}

}  // namespace

TEST_CASE("what the providers' own libraries sign is right, and nothing near it", "[webhooks]") {
    if (!has_libraries()) return;
    auto random = test::seeded_random("libraries");
    std::map<std::string, int> judged;
    for (const std::string& line : output_of("sign.mjs", "1700000000 40")) {
        const Json said = Json::parse(line);
        const std::string provider = said["provider"];
        const std::string secret = said["secret"];
        INFO(line);
        const WebhookScheme scheme = shipped_scheme(provider);
        const HookRequest good = request_of(said);
        CHECK(accepts(scheme, good, secret));
        ++judged[provider];

        HookRequest flipped = good;
        char& c = flipped.body[test::below(random, flipped.body.size())];
        // Of a form the lowest: another would make `%2b` of `%2B`, which is the same.
        const bool is_form = good.body.front() != '{';
        c = static_cast<char>(c ^ (is_form ? 1 : 1 << test::below(random, 8)));
        CHECK_FALSE(accepts(scheme, flipped, secret));
        CHECK_FALSE(accepts(scheme, good, another_secret(provider, secret)));
        const bool dated = !scheme.timestamp_header.empty() || !scheme.timestamp_list_key.empty();
        CHECK(accepts(scheme, good, secret, kNow + 299s));
        CHECK(accepts(scheme, good, secret, kNow + 302s) == !dated);
    }
    CHECK(judged == std::map<std::string, int>{{"github", 40},
                                               {"standard-webhooks", 40},
                                               {"stripe", 40},
                                               {"shopify", 40},
                                               {"sendgrid", 40},
                                               {"hubspot-oauth", 40},
                                               {"twilio", 80}});
}

TEST_CASE("what is signed by our reading of a scheme, the providers' own libraries take",
          "[webhooks]") {
    if (!has_libraries()) return;
    const TempDir dir{"signed"};
    const auto path = dir.path() / "deliveries";
    std::ofstream file{path};
    const Time now = SystemClock{}.now();
    std::vector<std::string> expected;
    for (const char* provider : {"github", "standard-webhooks", "stripe", "slack", "shopify",
                                 "sendgrid", "hubspot-oauth", "twilio"}) {
        const WebhookScheme scheme = shipped_scheme(provider);
        const std::string secret =
            secret_of(std::string{provider} == "standard-webhooks" ? "standard" : provider);
        HookRequest request =
            signed_request(scheme, secret, "{\"text\":\"\xc3\xbc \xf0\x9f\x8e\x89\"}", now);
        for (const bool good : {true, false}) {
            if (!good) request.body.back() = ' ';
            Json headers = Json::object();
            for (const auto& [name, value] : request.headers)
                headers[name] = value;
            file << Json{{"provider", provider}, {"secret", secret},   {"method", request.method},
                         {"url", request.url},   {"headers", headers}, {"body", request.body}}
                        .dump()
                 << '\n';
            expected.emplace_back(good ? "yes" : "no");
        }
    }
    file.close();
    CHECK(output_of("verify.mjs", path.string()) == expected);
}
