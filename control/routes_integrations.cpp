// Integrations and releases.
#include <nlohmann/json.hpp>

#include "control/answer.h"
#include "control/fields.h"
#include "control/routes.h"
#include "model/limits.h"

namespace berth {
namespace {

enum class Purpose { create, change };

Result<IntegrationInput> read_integration(const Json& body, Purpose purpose) {
    Fields fields{body};
    IntegrationInput input;
    if (purpose == Purpose::create) fields.required("name");
    input.name = fields.text("name", limits::kNameBytes);
    input.long_name = fields.text("long_name", limits::kLongNameBytes);
    input.connectors = fields.connectors("connectors");
    input.network = fields.word("network", parse_network_mode, "none, egress, host");
    input.egress_names = fields.egress_names("egress_names");
    input.on_lost = fields.word("on_lost", parse_on_lost, "fail, retry");
    if (const auto seconds = fields.integer("wall_time_seconds", 1,
                                            std::chrono::seconds{limits::kMaxWallTime}.count()))
        input.wall_time = std::chrono::seconds{*seconds};
    if (const auto mib = fields.integer("memory_mib", 16, 1 << 20))
        input.memory_bytes = static_cast<std::uint64_t>(*mib) << 20;
    input.default_release_channel =
        fields.word("default_release_channel", parse_channel, "Latest, Default");
    if (purpose == Purpose::change) {
        if (const auto id = fields.integer("default_release_id", 1, INT64_MAX))
            input.default_release_id = ReleaseId{*id};
        input.paused = fields.boolean("paused");
        input.archived = fields.boolean("archived");
    }
    auto good = fields.finish();
    if (!good) return pass_on(good);
    return input;
}

void list(Api& api, const Request& request, Reply reply) {
    auto page = read_page(request, {"id", "name", "long_name", "created_date", "modified_date"});
    if (!page) return reply.failed(page.error());
    auto archived = request.query.flag("archived");
    if (!archived) return reply.failed(archived.error());
    api.list_integrations(*page, archived->value_or(false),
                          answer_forms<Integration>(std::move(reply)));
}

void create(Api& api, const Request& request, Reply reply) {
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    auto input = read_integration(*body, Purpose::create);
    if (!input) return reply.failed(input.error());
    api.create_integration(caller(request), std::move(*input),
                           answer_form<Integration>(std::move(reply)));
}

void change(Api& api, const Request& request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    auto body = read_json_object(request);
    if (!body) return reply.failed(body.error());
    auto input = read_integration(*body, Purpose::change);
    if (!input) return reply.failed(input.error());
    api.change_integration(caller(request), *id, std::move(*input),
                           answer_form<Integration>(std::move(reply)));
}

void upload_release(Api& api, Request request, Reply reply) {
    auto id = request.id<IntegrationId>("integration_id");
    if (!id) return reply.failed(id.error());
    const auto type = request.headers.find("content-type");
    if (type != "application/x-tar")
        return reply.failed({FailureKind::invalid,
                             "send the release as a tar with content-type 'application/x-tar'",
                             "header.content-type"});
    auto as_default = request.query.flag("default");
    if (!as_default) return reply.failed(as_default.error());
    ReleaseUpload upload;
    upload.name = request.query.find("name").value_or("");
    upload.tag = request.query.find("tag").value_or("");
    if (upload.name.size() > limits::kLongNameBytes || upload.tag.size() > limits::kLongNameBytes)
        return reply.failed(
            {FailureKind::unprocessable,
             fmt::format("name and tag have at most {} bytes", limits::kLongNameBytes),
             "query.name"});
    upload.make_default = as_default->value_or(false);
    upload.tar = std::move(request.body_file);
    api.create_release(caller(request), *id, std::move(upload),
                       answer_form<Release>(std::move(reply)));
}

}  // namespace

void add_integration_routes(Router& router, Api& api) {
    const std::string base = "/v2/integrations";
    const std::string one = base + "/{integration_id}";
    router.add({
        {Method::get, base, Role::administrator, "list integrations",
         [&api](Request request, Reply reply) { list(api, request, std::move(reply)); }},
        {Method::post, base, Role::administrator, "create an integration",
         [&api](Request request, Reply reply) { create(api, request, std::move(reply)); }},
        {Method::get, one, Role::administrator, "show an integration",
         [&api](Request request, Reply reply) {
             auto id = request.id<IntegrationId>("integration_id");
             if (!id) return reply.failed(id.error());
             api.get_integration(*id, answer_form<Integration>(std::move(reply)));
         }},
        {Method::patch, one, Role::administrator, "change an integration",
         [&api](Request request, Reply reply) { change(api, request, std::move(reply)); }},
        {Method::get, one + "/releases", Role::administrator, "list an integration's releases",
         [&api](Request request, Reply reply) {
             auto id = request.id<IntegrationId>("integration_id");
             if (!id) return reply.failed(id.error());
             api.list_releases(*id, answer_forms<Release>(std::move(reply)));
         }},
        {Method::get, one + "/releases/default", Role::administrator, "show the default release",
         [&api](Request request, Reply reply) {
             auto id = request.id<IntegrationId>("integration_id");
             if (!id) return reply.failed(id.error());
             api.default_release(*id, answer_form<Release>(std::move(reply)));
         }},
        {Method::get, one + "/releases/latest", Role::administrator, "show the newest release",
         [&api](Request request, Reply reply) {
             auto id = request.id<IntegrationId>("integration_id");
             if (!id) return reply.failed(id.error());
             api.latest_release(*id, answer_form<Release>(std::move(reply)));
         }},
        {Method::get, one + "/releases/{release_id}", Role::administrator, "show a release",
         [&api](Request request, Reply reply) {
             auto id = request.id<IntegrationId>("integration_id");
             if (!id) return reply.failed(id.error());
             auto release = request.id<ReleaseId>("release_id");
             if (!release) return reply.failed(release.error());
             api.get_release(*id, *release, answer_form<Release>(std::move(reply)));
         }},
        {Method::post, one + "/releases", Role::administrator,
         "make a release of an uploaded folder",
         [&api](Request request, Reply reply) {
             upload_release(api, std::move(request), std::move(reply));
         },
         limits::kReleaseUploadBytes, BodyPlace::file, ErrorStyle::fields, "application/x-tar"},
    });
}

}  // namespace berth
