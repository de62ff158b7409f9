// S16: settings and metadata that a schema refuses. They may hold what should have been a secret,
// so a refusal names the setting and says what it must be, and not what it was.
#include <iostream>

#include "tests/e2e/finder.h"
#include "tests/support/daemon_fixture.h"
#include "tests/support/needs_sandbox.h"

using namespace berth;
using namespace berth::test;

namespace {

// A release that wants its settings in each way there is.
constexpr const char* kSettings = R"(configs:
  schema:
    type: object
    properties:
      word: {type: string, enum: [a, b]}
      number: {type: integer, minimum: 1}
      digits: {type: string, pattern: '^[0-9]+$'}
      short: {type: string, maxLength: 3}
      list: {type: array, items: {type: integer}}
      flag: {type: boolean}
      mail: {type: string, format: email}
      inner: {type: object, properties: {deep: {type: number}}, required: [deep]}
metadata_schema:
  schema:
    type: object
    properties:
      count: {type: integer}
)";

}  // namespace

TEST_CASE("a setting that its schema refuses is named, and its value is nowhere", "[e2e][echo]") {
    BERTH_NEEDS_SANDBOX();
    Daemon daemon{"pool_size = 0\n"};
    const auto made = daemon.install("shop", {{"PANDIUM.yaml", manifest("true", kSettings)}});
    const auto canaries = make_canaries(40);
    Finder finder{canaries};
    std::size_t next = 0, refused = 0, hits = 0;
    const auto look = [&](const std::string& text) { hits += finder.in(text); };
    const auto tenant = fmt::format("/v2/tenants/{}", made.tenant);
    const char* const kNames[] = {"word", "number", "digits", "short",
                                  "list", "flag",   "mail",   "inner"};
    for (const char* name : kNames)
        for (int form = 0; form < 3; ++form) {
            const std::string& canary = canaries.at(next++);
            const json value = form == 0   ? json{canary}
                               : form == 1 ? json::array({json{canary}})
                                           : json{{"deep", canary}};
            const auto answer = daemon.request("PATCH", tenant, {{"configs", {{name, value}}}});
            if (answer.status < 400) {  // then the run says it
                const json run = daemon.run(made.tenant);
                refused += run["state"] == "succeeded" ? 0U : 1U;
                look(run.value("reason", "") + daemon.run_log(run["id"]));
            } else {
                ++refused;
                look(answer.body);
            }
        }
    for (const json& value : {json{canaries[30]}, json::array({canaries[31]})}) {
        const auto answer = daemon.request("PATCH", tenant + "/metadata", {{"count", value}});
        refused += answer.status >= 400 ? 1U : 0U;
        look(answer.status >= 400 ? answer.body : "");
    }
    look(daemon.log());
    look(daemon.must("GET", "/v2/audit?limit=500").dump());
    std::cout << fmt::format("{} wrong settings of {}: {} echoed\n", refused, next + 2, hits);
    CHECK(refused >= 20);
    CHECK(hits == 0);
    CHECK(finder.in("log: " + canaries[7]) > 0);  // the control
}
