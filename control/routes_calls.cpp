// Connector calls, as the contract has them (docs/api.md, "Connector calls"): the partner's
// answer is {data}, whatever goes wrong is {detail} in a text.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/calls_routes.h"
#include "control/fields.h"
#include "control/input.h"
#include "model/json.h"
#include "model/limits.h"

namespace berth {
namespace {

enum class CallForm { json, soap, xml };
using Pairs = std::vector<std::pair<std::string, std::string>>;

tl::unexpected<Failure> wrong(const char* field, std::string_view must) {
    return fail_at(FailureKind::unprocessable, std::string{"body."} + field, "field '{}' {}", field,
                   must);
}

std::optional<std::string> plain_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number() || value.is_boolean()) return to_text(value);
    return {};
}

// {"a": "b"}, [{"a": "b"}], [["a", "b"]], [{"name": "a", "value": "b"}], null.
Result<Pairs> read_pairs(const Json& body, const char* field) {
    constexpr const char* kMust = "must be an object of texts, or a list of such pairs";
    Pairs pairs;
    const auto found = body.find(field);
    if (found == body.end() || found->is_null()) return pairs;
    const auto add = [&](const std::string& name, const Json& value) {
        const auto text = plain_text(value);
        if (text) pairs.emplace_back(name, *text);
        return text.has_value();
    };
    const auto add_all = [&](const Json& object) {
        for (const auto& [name, value] : object.items()) {
            const bool list = value.is_array();  // a parameter that comes several times
            for (const Json& one : list ? value : Json::array({value}))
                if (!add(name, one)) return false;
        }
        return true;
    };
    const auto add_item = [&](const Json& item) {
        if (item.is_array())
            return item.size() == 2 && item[0].is_string() &&
                   add(item[0].get<std::string>(), item[1]);
        if (!item.is_object()) return false;
        if (item.size() == 2 && item.contains("name") && item.contains("value"))
            return item["name"].is_string() && add(item["name"].get<std::string>(), item["value"]);
        return add_all(item);
    };
    bool good = found->is_object() ? add_all(*found) : found->is_array();
    if (found->is_array())
        for (const Json& item : *found)
            good = good && add_item(item);
    if (!good) return wrong(field, kMust);
    if (pairs.size() > limits::kCallHeaders)
        return wrong(field, fmt::format("must have at most {} entries", limits::kCallHeaders));
    return pairs;
}

Result<CallInput> read_call(const Request& request, CallForm form) {
    auto body = read_json_object(request);
    if (!body) return pass_on(body);
    CallInput input;
    auto headers = read_pairs(*body, "headers");
    if (!headers) return pass_on(headers);
    auto query = read_pairs(*body, "query_params");
    if (!query) return pass_on(query);
    input.headers = std::move(*headers);
    input.query = std::move(*query);
    Fields fields{*body};
    for (const char* name : {"headers", "query_params"})
        fields.known(name);
    fields.required("target_url");
    const auto method = fields.text("method", 16);
    const auto target = fields.text("target_url", limits::kCallUrlBytes);
    if (form == CallForm::json) {
        fields.known("body");
        const auto sent = body->find("body");
        if (sent != body->end() && !sent->is_null()) {
            input.body = to_text(*sent);
            input.type = "application/json";
        }
    } else {
        input.body = fields.text("data", limits::kHttpBodyBytes);
        input.type = form == CallForm::soap ? "text/xml; charset=utf-8" : "application/xml";
    }
    if (auto good = fields.finish(); !good) return pass_on(good);
    input.method = to_upper_ascii(method.value_or(input.body ? "POST" : "GET"));
    input.target = *target;
    return input;
}

// What is no JSON is an object with its text.
Json data_of(const CallOutput& output) {
    const bool xml =
        output.type == "text/xml" || output.type.ends_with("/xml") || output.type.ends_with("+xml");
    if (output.body.empty()) return Json::object();
    if (!xml) {
        // As strictly as what people send: how deep it is is the partner's choice.
        if (auto parsed = parse_json(output.body)) return *parsed;
    }
    return {{xml ? "xml" : "text", output.body}};
}

void answer_call(Reply reply, const CallOutput& output) {
    if (!output.fault.empty()) return reply.json(output.status, {{"detail", output.fault}});
    if (output.status < 400) return reply.json(200, {{"data", data_of(output)}});
    const Json told{{"status", output.status}, {"data", data_of(output)}};
    reply.json(output.status, {{"detail", to_text(told)}});
}

// Ours: the contract wants a text. What is too much, or not now, has its usual status and says
// when to come again; what is not found, its usual answer.
void answer_fault(Reply reply, const Failure& why) {
    switch (why.kind) {
        case FailureKind::invalid:
        case FailureKind::unprocessable:
        case FailureKind::denied:
        case FailureKind::conflict: return reply.json(400, {{"detail", why.message}});
        case FailureKind::not_found: return reply.failed(why);
        case FailureKind::over_limit:
        case FailureKind::busy:
        case FailureKind::unavailable: break;
    }
    if (const auto again = error_answer(why).retry_after)
        reply.header("retry-after", std::to_string(again->count()));
    reply.json(status_of(why.kind), {{"detail", why.message}});
}

void call(CallsApi& calls, const Request& request, Reply reply, CallForm form) {
    auto tenant = request.id<TenantId>("tenant_id");
    if (!tenant) return reply.failed(tenant.error());
    auto input = read_call(request, form);
    if (!input) return reply.failed(input.error());
    calls.call(caller(request), *tenant, std::string{request.param("connector_name")},
               std::move(*input), [reply = std::move(reply)](Result<CallOutput> output) mutable {
                   if (!output) return answer_fault(std::move(reply), output.error());
                   answer_call(std::move(reply), *output);
               });
}

}  // namespace

void add_call_routes(Router& router, CallsApi& calls) {
    const std::string of_tenant = "/v2/tenants/{tenant_id}/connectors/{connector_name}/";
    const auto route = [&](const char* name, CallForm form, const char* what) {
        router.add({{Method::post, of_tenant + name, Role::administrator, what,
                     [&calls, form](const Request& request, Reply reply) {
                         call(calls, request, std::move(reply), form);
                     }}});
    };
    route("call", CallForm::json, "call a connector's partner");
    route("soap", CallForm::soap, "call a connector's partner by SOAP");
    route("xml", CallForm::xml, "call a connector's partner with XML");
}

}  // namespace berth
