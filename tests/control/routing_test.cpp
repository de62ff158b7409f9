// What lies between a request and its handler, and between a failure and its
// answer: the router, paging, bodies, error bodies.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "control/router.h"
#include "control/target.h"
#include "control/wire.h"

using namespace berth;
using Catch::Contains;

namespace {

Route route(Method method, std::string pattern) {
    return {
        .method = method, .pattern = pattern, .summary = pattern, .handler = [](Request, Reply) {}};
}

Router some_routes() {
    Router router;
    router.add(
        {route(Method::get, "/v2/releases/{release_id}"), route(Method::get, "/v2/releases/latest"),
         route(Method::del, "/v2/releases/{release_id}"),
         route(Method::get, "/v2/runs/{run_id}/log"),
         route(Method::get, "/v2/runs/triggers/{trigger_id}"), route(Method::post, "/v2/runs")});
    return router;
}

// `pattern name=value`, or why there is none.
std::string found(Method method, std::string_view path) {
    const Router router = some_routes();
    const auto target = parse_target(path);
    REQUIRE(target);
    const auto result = router.find(method, target->path);
    if (std::holds_alternative<NoPath>(result)) return "no path";
    if (const auto* no = std::get_if<NoMethod>(&result)) return "allow " + no->allow;
    const auto& match = std::get<Match>(result);
    std::string text = match.route->pattern;
    for (const auto& [name, value] : match.params.all())
        text += fmt::format(" {}={}", name, value);
    return text;
}

Request with_query(std::string_view query) {
    Request request;
    request.query = parse_target(fmt::format("/x?{}", query))->query;
    return request;
}

struct Told : Responder {
    Response response;
    void respond(Response given) override { response = std::move(given); }
    void begin(Response) override {}
    void send(std::string) override {}
    void finish() override {}
    bool gone() const override { return false; }
    std::size_t unsent() const override { return 0; }
    void on_gone(std::function<void()>) override {}
    void on_drained(std::function<void()>) override {}
};

}  // namespace

TEST_CASE("a path finds its route, a literal before a name", "[control]") {
    CHECK(found(Method::get, "/v2/releases/7") == "/v2/releases/{release_id} release_id=7");
    CHECK(found(Method::get, "/v2/releases/latest") == "/v2/releases/latest");
    CHECK(found(Method::head, "/v2/releases/latest") == "/v2/releases/latest");
    CHECK(found(Method::get, "/v2/runs/triggers/log") ==
          "/v2/runs/triggers/{trigger_id} trigger_id=log");
    CHECK(found(Method::get, "/v2/releases/%C3%A4%20b") ==
          "/v2/releases/{release_id} release_id=\xc3\xa4 b");
}

TEST_CASE("a path or method without a route is told apart", "[control]") {
    for (const auto* path : {"/", "/v2", "/v2/", "/v2/releases", "/v2/releases/", "/v2/releases/7/",
                             "/v2/releases//7", "/V2/runs", "//v2/runs"})
        CHECK(found(Method::get, path) == "no path");
    CHECK(found(Method::get, "/v2/runs") == "allow POST");
    CHECK(found(Method::post, "/v2/releases/7") == "allow GET, DELETE, HEAD");
    CHECK(found(Method::head, "/v2/runs") == "allow POST");
}

TEST_CASE("a query is decoded, and its last value counts", "[control]") {
    const Request request = with_query("a=1&a=2&b&c=x%26y+z%2B&=e&&d=%C3%A4&flag=YES&off=0");
    CHECK(request.query.find("a") == "2");
    CHECK(request.query.count("a") == 2);
    CHECK(request.query.find("b") == "");
    CHECK(request.query.find("c") == "x&y z+");
    CHECK(request.query.find("d") == "\xc3\xa4");
    CHECK_FALSE(request.query.find("x").has_value());
    CHECK(request.query.flag("flag")->value());
    CHECK_FALSE(request.query.flag("off")->value());
    CHECK_FALSE(request.query.flag("absent")->has_value());
    const auto wrong = request.query.flag("a");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error() ==
          Failure{FailureKind::unprocessable, "'a' is neither true nor false: '2'", "query.a"});
    CHECK(request.query.required("x").error() ==
          Failure{FailureKind::unprocessable, "the query parameter 'x' is missing", "query.x"});
    CHECK(request.query.id<TenantId>("a")->value() == TenantId{2});
    CHECK(request.query.id<TenantId>("c").error().where == "query.c");
}

TEST_CASE("paging has the contract's rules", "[control]") {
    const auto plain = read_page(with_query(""), {"id"});
    REQUIRE(plain);
    CHECK((plain->skip == 0 && plain->limit == 100 && plain->sort_field.empty()));
    const auto full = read_page(with_query("skip=5&limit=500&sort_by=name__DESC"), {"id", "name"});
    REQUIRE(full);
    CHECK((full->skip == 5 && full->limit == 500 && full->descending));
    CHECK(full->sort_field == "name");

    const auto refusal = [](std::string_view query) {
        const auto page = read_page(with_query(query), {"id", "name"});
        REQUIRE_FALSE(page);
        CHECK(page.error().kind == FailureKind::unprocessable);
        return page.error().where + ": " + page.error().message;
    };
    CHECK(refusal("skip=-1") == "query.skip: 'skip' must be 0 or more");
    CHECK(refusal("skip=x") == "query.skip: 'skip' is not a whole number: 'x'");
    CHECK(refusal("skip=") == "query.skip: 'skip' is not a whole number: ''");
    CHECK(refusal("limit=0") == "query.limit: 'limit' must be 1 to 500");
    CHECK(refusal("limit=501") == "query.limit: 'limit' must be 1 to 500");
    CHECK(refusal("limit=1e2") == "query.limit: 'limit' is not a whole number: '1e2'");
    CHECK(refusal("limit=99999999999999999999") ==
          "query.limit: 'limit' is not a whole number: '99999999999999999999'");
    CHECK(refusal("sort_by=name") ==
          "query.sort_by: 'sort_by' must be a field followed by '__ASC' or '__DESC'");
    CHECK(refusal("sort_by=secret__ASC") ==
          "query.sort_by: 'sort_by' must name one of these fields: 'id', 'name'");
    CHECK(refusal("sort_by=name;drop__ASC") ==
          "query.sort_by: 'sort_by' must name one of these fields: 'id', 'name'");
}

TEST_CASE("a body is a JSON object, or refused", "[control]") {
    const auto read = [](std::string body, EmptyBody empty = EmptyBody::refused) {
        Request request;
        request.body = std::move(body);
        return read_json_object(request, empty);
    };
    CHECK(read(R"({"a":1})").value() == Json{{"a", 1}});
    CHECK(read("", EmptyBody::allowed).value() == Json::object());
    CHECK(read("").error().kind == FailureKind::unprocessable);
    CHECK(read("").error().message == "the body is missing; send a JSON object");
    CHECK(read("[]").error() ==
          Failure{FailureKind::unprocessable, "the body must be a JSON object, not array", "body"});
    CHECK(read("null", EmptyBody::allowed).error().kind == FailureKind::unprocessable);
    CHECK(read("{").error().kind == FailureKind::invalid);
    CHECK(read("{\"a\":\"\xff\"}").error().kind == FailureKind::invalid);
}

TEST_CASE("a failure becomes the contract's error", "[control]") {
    const auto answer = [](FailureKind kind, std::string where = {},
                           ErrorStyle style = ErrorStyle::fields) {
        const auto made = error_answer(Failure{kind, "why", std::move(where)}, style);
        return fmt::format("{} {}", made.status, made.body);
    };
    CHECK(answer(FailureKind::not_found) == R"(404 {"message":"why"})");
    CHECK(answer(FailureKind::invalid) == R"(400 {"message":"why"})");
    CHECK(answer(FailureKind::denied) == R"(403 {"detail":"Not authorized"})");
    CHECK(answer(FailureKind::conflict) == R"(409 {"message":"why"})");
    CHECK(answer(FailureKind::over_limit) == R"(429 {"message":"why"})");
    CHECK(answer(FailureKind::busy) == R"(503 {"message":"why"})");
    CHECK(answer(FailureKind::unavailable) == R"(503 {"message":"why"})");
    CHECK(answer(FailureKind::unprocessable, "body.name", ErrorStyle::message) ==
          R"(422 {"message":"why"})");
    const auto with_loc = [](std::string_view loc) {
        return fmt::format(R"(422 {{"detail":[{{"loc":{},"msg":"why","type":"value_error"}}]}})",
                           loc);
    };
    CHECK(answer(FailureKind::unprocessable, "body.name") == with_loc(R"(["body","name"])"));
    CHECK(answer(FailureKind::unprocessable, "") == with_loc(R"(["body"])"));
    CHECK(answer(FailureKind::unprocessable, "query.limit") == with_loc(R"(["query","limit"])"));
    CHECK(answer(FailureKind::unprocessable, "connectors.0.name") ==
          with_loc(R"(["body","connectors",0,"name"])"));
    CHECK(error_answer(Failure{FailureKind::over_limit, "", ""}).retry_after.has_value());
    CHECK(error_answer(Failure{FailureKind::busy, "", ""}).retry_after.has_value());
    CHECK_FALSE(error_answer(Failure{FailureKind::conflict, "", ""}).retry_after.has_value());
}

TEST_CASE("outside text in a header cannot split the answer", "[control]") {
    const auto told = std::make_shared<Told>();
    Reply{told, ErrorStyle::fields}.header("x", "a\r\nset-cookie: b").redirect("/a\nb");
    CHECK(told->response.status == 302);
    CHECK_THAT(to_wire(told->response, Method::get, Closing::no),
               Contains("x: a  set-cookie: b\r\nlocation: /a b\r\n"));
}

TEST_CASE("a busy answer says when to come again", "[control]") {
    const auto told = std::make_shared<Told>();
    Reply{told, ErrorStyle::fields}.failed({FailureKind::over_limit, "slow down", {}});
    CHECK(told->response.status == 429);
    CHECK(told->response.headers.find("retry-after") == "10");
    CHECK(told->response.body == R"({"message":"slow down"})");
}
