// Connector calls before a secret is opened: where they may go, what they carry, how often.
#include "daemon/calls.h"

#include <array>
#include <catch2/catch.hpp>

#include "daemon/call_order.h"
#include "model/limits.h"
#include "tests/store/support.h"

using namespace berth;
using namespace std::chrono_literals;
using test::must;

namespace {

ConnectorKind shop_kind() {
    ConnectorKind kind;
    kind.name = "shop";
    kind.base_url = "https://{shop}.example.com/admin/";
    kind.hosts = {"{shop}.example.com", "*.cdn.example.net"};
    kind.request.place = RequestAuth::Place::header;
    kind.request.name = "X-Token";
    kind.request.value = "{access_token}";
    return kind;
}

ConnectionMaterial shop_material() {
    ConnectionMaterial material;
    material.connection.id = ConnectionId{7};
    material.connection.readable = {{"shop", "acme"}};
    ConnectionSecret secret;
    secret.field = secret.sealed_as = "access_token";
    secret.scope = {KeyScope::Kind::tenant, 5};
    secret.connector_id = ConnectorId{3};
    secret.version = 2;
    secret.envelope = test::fake_envelope(9);
    material.secrets = {secret};
    material.data_keys = {{9, secret.scope, 1, "key"}};
    return material;
}

CallInput get(const std::string& target) {
    CallInput input;
    input.method = "GET";
    input.target = target;
    return input;
}

Result<CallRequest> made(const CallInput& input, const std::vector<std::string>& named = {}) {
    return make_call(shop_kind(), shop_material(), input, named);
}

class SetClock final : public Clock {
public:
    Time now() const override { return test::kNow; }
    SteadyTime steady() const override { return steady_; }
    SteadyTime steady_{};
};

}  // namespace

TEST_CASE("a call's path is one below the kind's address, filled in from the connection",
          "[connector_calls]") {
    auto input = get("/orders.json?a=b");
    input.query = {{"limit", "1 0"}, {"x", "&"}};
    const auto request = must(made(input));
    CHECK(request.url == "https://acme.example.com/admin/orders.json?a=b&limit=1%200&x=%26");
    CHECK(request.hosts == std::vector<std::string>{"acme.example.com", "*.cdn.example.net"});
    CHECK(request.secrets == std::vector<std::string>{"access_token"});
    CHECK(request.auth == shop_kind().request);
    CHECK(must(made(get("https://a.cdn.example.net/x"))).url == "https://a.cdn.example.net/x");
}

TEST_CASE("a call goes to no other host, whatever its address or the connection's fields say",
          "[connector_calls]") {
    using enum FailureKind;
    CHECK_FAILS(made(get("https://evil.net/")), denied, "'evil.net' is not one of the connector's");
    CHECK_FAILS(made(get("https://other.example.com/")), denied, "is not one of the connector's");
    CHECK_FAILS(made(get("http://acme.example.com/")), denied, "by https only");
    CHECK_FAILS(made(get("https://acme.example.com@evil.net/")), invalid, "is no address to call");
    CHECK(must(made(get("//evil.net/"))).url == "https://acme.example.com/admin//evil.net/");
    auto input = get("/x");
    input.method = "TRACE";
    CHECK_FAILS(made(input), invalid, "'TRACE' is no method of a call");
    input = get("/x");
    input.headers = {{"Host", "evil.net"}};
    CHECK_FAILS(made(input), invalid, "the header 'Host' is not the caller's to set");

    for (const char* shop : {"evil.net/", "evil.net#", "a@evil.net", "a:1", "https://evil.net?"}) {
        auto material = shop_material();
        material.connection.readable["shop"] = shop;
        INFO(shop);
        CHECK_FALSE(make_call(shop_kind(), material, get("/x"), {}));
    }
    auto material = shop_material();
    material.connection.readable.clear();
    CHECK_FAILS(make_call(shop_kind(), material, get("/x"), {}), unprocessable,
                "the connection has no 'shop' yet");
    material = shop_material();
    material.secrets.clear();
    CHECK_FAILS(make_call(shop_kind(), material, get("/x"), {}), unprocessable,
                "the connection has no 'access_token'");
}

TEST_CASE("a field that is the whole address of a partner is one", "[connector_calls]") {
    auto kind = shop_kind();
    kind.base_url = "{base_url}/v1";
    kind.hosts = {"{base_url}"};
    auto material = shop_material();
    material.connection.readable = {{"base_url", "https://API.acme.example/"}};
    const auto request = must(make_call(kind, material, get("/x"), {}));
    CHECK(request.url == "https://API.acme.example/v1/x");
    CHECK(request.hosts == std::vector<std::string>{"api.acme.example"});
    // But not where it is a part of one.
    kind.hosts = {"{base_url}.example.com"};
    CHECK_FALSE(make_call(kind, material, get("/x"), {}));
}

TEST_CASE("the base URL that is provisioned goes before the kind's own", "[connector_calls]") {
    auto material = shop_material();
    material.provisioning["base_url"] = "https://sandbox.example.org/v9/";
    const auto request = must(make_call(shop_kind(), material, get("/x"), {}));
    CHECK(request.url == "https://sandbox.example.org/v9/x");
    CHECK(request.hosts ==
          std::vector<std::string>{"acme.example.com", "*.cdn.example.net", "sandbox.example.org"});
    // A customer's field of that name chooses no host, and http is for the administrator's list.
    material = shop_material();
    material.connection.readable["base_url"] = "https://evil.net";
    CHECK(must(make_call(shop_kind(), material, get("/x"), {})).url ==
          "https://acme.example.com/admin/x");
    material.provisioning["base_url"] = "http://plain.example.org";
    CHECK_FAILS(make_call(shop_kind(), material, get("/x"), {}), FailureKind::denied,
                "by https only");
}

TEST_CASE("what the administrator names is called too, on that port only, also without TLS",
          "[connector_calls]") {
    const std::vector<std::string> allow{"127.0.0.1:8080", "erp.internal:443", "10.0.0.0/8",
                                         "*.internal:80",  "printer.internal", "[::1]:80"};
    const auto named = named_hosts(allow);
    CHECK(named == std::vector<std::string>{"127.0.0.1:8080", "erp.internal:443"});
    const auto request = must(made(get("http://127.0.0.1:8080/x"), named));
    CHECK(request.hosts == must(made(get("/x"))).hosts);  // not all ports of it
    CHECK(request.named == named);
    auto names = request.hosts;
    names.insert(names.end(), {"127.0.0.1", "erp.internal"});
    CHECK(make_call_job(shop_material(), request, "uid 0").egress_names == names);
    CHECK(made(get("https://erp.internal/x"), named));
    CHECK_FAILS(made(get("http://127.0.0.1:8081/x"), named), FailureKind::denied, "is not one of");
    CHECK_FAILS(made(get("http://acme.example.com/x"), named), FailureKind::denied, "https only");
    CHECK_FAILS(made(get("http://printer.internal/"), named), FailureKind::denied, "");
}

TEST_CASE("a call's job has the secrets that it needs, and nothing secret beside them",
          "[connector_calls]") {
    auto input = get("/x");
    input.method = "POST";
    input.body = "{}";
    input.type = "application/json";
    const auto request = must(made(input));
    CHECK(request.headers == CallHeaders{{"Content-Type", "application/json"}});
    const Job job = make_call_job(shop_material(), request, "uid 0");
    CHECK(job.program == JobProgram::call);
    CHECK(job.purpose == "call");
    CHECK(job.connection == ConnectionId{7});
    CHECK(job.egress_names == request.hosts);
    CHECK(job.seal.empty());
    CHECK(job.env.empty());
    REQUIRE(job.secrets.size() == 1);
    CHECK(job.secrets[0].names == std::vector<std::string>{"BERTH_FIELD_access_token"});
    CHECK(job.secrets[0].where.field == "access_token");
    CHECK(job.secrets[0].where.version == 2);
    CHECK(job.secrets[0].data_key.id == 9);
    CHECK(must(parse_call_request(job.files.at(0).content)) == request);
    // The caller's own type of a body stays.
    input.headers = {{"content-type", "text/csv"}};
    CHECK(must(made(input)).headers.size() == 1);
}

TEST_CASE("headers that the kind wants are in each call, unless the caller gives them",
          "[connector_calls]") {
    auto kind = shop_kind();
    kind.headers = {{"Shop-Version", "2022-06-28"}, {"Content-Type", "application/vnd.api+json"}};
    auto input = get("/x");
    input.method = "POST";
    input.body = "{}";
    input.type = "application/json";
    input.headers = {{"shop-version", "2025-01-01"}};
    const auto of = [&] { return must(make_call(kind, shop_material(), input, {})).headers; };
    CHECK(of() == CallHeaders{{"shop-version", "2025-01-01"},
                              {"Content-Type", "application/vnd.api+json"}});
    input.headers.clear();
    CHECK(of() == CallHeaders{{"Content-Type", "application/vnd.api+json"},
                              {"Shop-Version", "2022-06-28"}});
}

TEST_CASE("a tenant has so many calls at once and in a minute, and others have theirs",
          "[connector_calls]") {
    SetClock clock;
    CallBudget budget{clock};
    const TenantId acme{1}, zeta{2};
    for (int i = 0; i < CallBudget::kAtOnce; ++i)
        CHECK(budget.begin(acme, "shop"));
    CHECK_FAILS(budget.begin(acme, "shop"), FailureKind::over_limit,
                "tenant '1' has 4 calls going on");
    CHECK(budget.begin(zeta, "shop"));
    budget.end(acme, "shop");
    CHECK(budget.begin(acme, "shop"));
    budget.end(acme, "shop");
    for (int i = CallBudget::kAtOnce + 1; i < limits::kCallsPerMinute; ++i) {
        REQUIRE(budget.begin(acme, "shop"));
        budget.end(acme, "shop");
    }
    CHECK_FAILS(budget.begin(acme, "shop"), FailureKind::over_limit,
                "has made 600 calls in a minute");
    clock.steady_ += 1s;
    for (int i = 0; i < limits::kCallsPerMinute / 60; ++i) {
        REQUIRE(budget.begin(acme, "shop"));
        budget.end(acme, "shop");
    }
    CHECK_FALSE(budget.begin(acme, "shop"));
    CHECK(budget.begin(zeta, "shop"));
}

TEST_CASE("a partner who hangs has so many calls of all tenants, and other partners have theirs",
          "[connector_calls]") {
    SetClock clock;
    CallBudget budget{clock};
    const auto tenant = [](int number) { return TenantId{number + 1}; };
    int calls = 0;
    const auto all_of = [&](const std::string& connector) {
        for (int i = 0; i < CallBudget::kOfConnector; ++i)
            REQUIRE(budget.begin(tenant(calls++), connector));
    };
    all_of("slow");
    const auto refused = budget.begin(tenant(calls), "slow");
    CHECK_FAILS(refused, FailureKind::busy, "12 calls of connector 'slow' are going on");
    // It has cost nothing: the same tenant calls others.
    for (int i = 0; i < CallBudget::kAtOnce; ++i)
        CHECK(budget.begin(tenant(calls), "shop"));
    for (int i = 0; i < CallBudget::kAtOnce; ++i)
        budget.end(tenant(calls), "shop");
    budget.end(tenant(0), "slow");
    CHECK(budget.begin(tenant(calls), "slow"));
    budget.end(tenant(calls), "slow");
    REQUIRE(budget.begin(tenant(0), "slow"));

    // All together have no more than leaves room for renewals.
    for (const char* connector : {"b", "c", "d"})
        all_of(connector);
    REQUIRE(calls == CallBudget::kInAll);
    static_assert(std::size_t{CallBudget::kInAll} * 2 < limits::kWaitingJobs);
    CHECK_FAILS(budget.begin(tenant(calls), "e"), FailureKind::busy, "48 calls are going on");
    const std::array connectors{"slow", "b", "c", "d"};
    for (int i = 0; i < calls; ++i)
        budget.end(tenant(i),
                   connectors.at(static_cast<std::size_t>(i / CallBudget::kOfConnector)));
    CHECK(budget.connectors() == 0);
    CHECK(budget.begin(tenant(calls), "e"));
}

TEST_CASE("a partner that says nothing is a fault of its own", "[connector_calls]") {
    CallAnswer answer;
    answer.fault = CallFault::timed_out;
    answer.reason = "the partner took too long";
    CHECK(output_of(answer).status == 504);
    CHECK(output_of(answer).fault == "the partner took too long");
    answer.fault = CallFault::unreachable;
    CHECK(output_of(answer).status == 502);
    answer.fault = CallFault::refused;
    CHECK(output_of(answer).status == 400);
    answer = {};
    answer.status = 418;
    CHECK(output_of(answer).status == 418);
    CHECK(output_of(answer).fault.empty());
}
