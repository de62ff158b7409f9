// The audit trail: read, and looked at as a whole.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/input.h"
#include "control/routes.h"

namespace berth {
namespace {

void list(Api& api, const Request& request, Reply reply) {
    auto before = request.query.integer("before");
    if (!before) return reply.failed(before.error());
    if (before->value_or(1) < 1)
        return reply.failed({FailureKind::unprocessable,
                             "query parameter 'before' must be the number of a row",
                             "query.before"});
    auto limit = read_limit(request, "limit", 100);
    if (!limit) return reply.failed(limit.error());
    api.list_audit(
        before->value_or(0), *limit,
        answer<std::vector<AuditRow>>(std::move(reply), 200, [](const std::vector<AuditRow>& rows) {
            Json list = Json::array();
            for (const AuditRow& row : rows)
                list.push_back(to_form(row));
            return list;
        }));
}

void verify(Api& api, const Request& request, Reply reply) {
    auto body = read_json_object(request, EmptyBody::allowed);
    if (!body) return reply.failed(body.error());
    Fields fields{*body};
    const auto text = fields.text("head", 100);
    if (auto good = fields.finish(); !good) return reply.failed(good.error());
    std::optional<AuditHead> published;
    if (text) published = parse_audit_head(*text);
    if (text && !published)
        return reply.failed({FailureKind::unprocessable,
                             "field 'head' must be SEQ:HASH, as the journal has it in "
                             "BERTH_AUDIT_HEAD",
                             "body.head"});
    api.verify_audit(std::move(published), answer_form<AuditVerdict>(std::move(reply)));
}

}  // namespace

void add_audit_routes(Router& router, Api& api) {
    router.add({
        {Method::get, "/v2/audit", Role::administrator, "list who changed what, the newest first",
         [&api](Request request, Reply reply) { list(api, request, std::move(reply)); }},
        {Method::post, "/v2/audit/verify", Role::administrator,
         "look whether a row of the audit trail was changed, removed or moved",
         [&api](Request request, Reply reply) { verify(api, request, std::move(reply)); }},
    });
}

}  // namespace berth
