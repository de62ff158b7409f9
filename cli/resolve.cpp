#include "cli/resolve.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/fields.h"
#include "cli/output.h"

namespace berth {
namespace {

constexpr std::size_t kPage = 500;  // the most that a list route gives at once

bool is_id(std::string_view text) { return to_number<std::int64_t>(text).value_or(0) > 0; }

Result<Json> named(Api& api, const std::string& list, Pairs query, std::string_view name) {
    auto all = get_all(api, {list}, std::move(query));
    if (!all) return pass_on(all);
    Json found = Json::array();
    for (Json& object : *all)
        if (field(object, "name") == name) found.push_back(std::move(object));
    return found;
}

// Live ones first; an archived one is meant only if there is no live one.
Result<Json> candidates(Api& api, const std::string& list, const Pairs& query,
                        std::string_view name) {
    auto live = named(api, list, query, name);
    if (!live || !live->empty()) return live;
    Pairs with_archived = query;
    with_archived.emplace_back("archived", "true");
    return named(api, list, with_archived, name);
}

tl::unexpected<Failure> ambiguous(std::string_view what, std::string_view name, const Json& found) {
    std::string lines;
    for (const Json& object : found) {
        lines += fmt::format("\n  {}  '{}'", field(object, "id"), field(object, "name"));
        if (const auto integration = field(object, "integration_id"); !integration.empty())
            lines += fmt::format(" of integration {}", integration);
        if (const auto user = field(object, "user_name"); !user.empty())
            lines += fmt::format(", user '{}'", user);
    }
    return fail(FailureKind::conflict, "{} {}s are named '{}'; say which by its id:{}",
                found.size(), what, name, lines);
}

Result<Json> only_one(std::string_view what, std::string_view name, Result<Json> found) {
    if (!found) return pass_on(found);
    if (found->empty())
        return fail(FailureKind::not_found,
                    "there is no {} named '{}'; 'berth {} list' shows those there are", what, name,
                    what);
    if (found->size() > 1) return ambiguous(what, name, *found);
    return std::move(found->front());
}

}  // namespace

Result<Json> get_all(Api& api, const std::vector<std::string>& segments, Pairs query) {
    Json all = Json::array();
    query.emplace_back("limit", std::to_string(kPage));
    query.emplace_back("skip", "0");
    for (;;) {
        query.back().second = std::to_string(all.size());
        auto page = api.get(api_path(segments, query));
        if (!page) return pass_on(page);
        if (!page->is_array())
            return fail(FailureKind::conflict, "the daemon's answer to '{}' is not a list",
                        api_path(segments));
        for (Json& object : *page)
            all.push_back(std::move(object));
        if (page->size() < kPage) return all;
    }
}

Result<Json> find_integration(Api& api, std::string_view id_or_name) {
    if (is_id(id_or_name)) return api.get(api_path({"integrations", std::string{id_or_name}}));
    return only_one("integration", id_or_name, candidates(api, "integrations", {}, id_or_name));
}

Result<Json> find_tenant(Api& api, std::string_view id_or_name, std::string_view integration) {
    if (is_id(id_or_name)) return api.get(api_path({"tenants", std::string{id_or_name}}));
    if (const auto slash = id_or_name.find('/'); slash != std::string_view::npos) {
        integration = id_or_name.substr(0, slash);
        id_or_name = id_or_name.substr(slash + 1);
    }
    Pairs query;
    if (!integration.empty()) {
        auto found = find_integration(api, integration);
        if (!found) return found;
        query.emplace_back("integration_id", field(*found, "id"));
    }
    return only_one("tenant", id_or_name, candidates(api, "tenants", query, id_or_name));
}

Result<Json> find_release(Api& api, const Json& integration, std::string_view which) {
    const std::string id = field(integration, "id");
    if (is_id(which) || which == "default" || which == "latest")
        return api.get(api_path({"integrations", id, "releases", std::string{which}}));
    auto all = api.get(api_path({"integrations", id, "releases"}));
    if (!all) return all;
    Json found = Json::array();
    for (Json& release : *all)
        if (field(release, "name") == which || field(release, "tag") == which)
            found.push_back(std::move(release));
    return only_one("release", which, std::move(found));
}

Result<Json> find_run(Api& api, std::string_view id_or_tenant) {
    if (is_id(id_or_tenant)) return api.get(api_path({"runs", std::string{id_or_tenant}}));
    auto tenant = find_tenant(api, id_or_tenant);
    if (!tenant) return tenant;
    auto runs = api.get(api_path({"tenants", field(*tenant, "id"), "runs"},
                                 {{"sort_by", "id__DESC"}, {"limit", "1"}}));
    if (!runs) return runs;
    if (!runs->is_array() || runs->empty())
        return fail(FailureKind::not_found,
                    "tenant '{}' has no runs yet; 'berth tenant sync {}' starts one", id_or_tenant,
                    id_or_tenant);
    return std::move(runs->front());
}

}  // namespace berth
