#include "store/integrations.h"

#include <array>

#include "model/host_name.h"
#include "model/json.h"
#include "model/limits.h"
#include "store/connectors.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select id, name, long_name, type, repository_url, repository_path,"
    " repository_tracking_branch, default_release_id, default_release_channel, network,"
    " egress_names, on_lost, wall_time_seconds, memory_bytes, archived, paused, created, modified "
    "from integrations";

constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"name", "name"},
    SortField{"long_name", "long_name"},
    SortField{"created_date", "created"},
    SortField{"modified_date", "modified"},
};

std::optional<std::string_view> channel_word(const std::optional<Channel>& channel) {
    if (!channel) return {};
    return to_string(*channel);
}

Integration read_integration(Db& db, const Row& row) {
    Columns c{row};
    Integration integration;
    integration.id = c.id<IntegrationId>();
    integration.name = c.text();
    integration.long_name = c.text();
    integration.type = c.text();
    integration.repository_url = c.text();
    integration.repository_path = c.text();
    integration.repository_tracking_branch = c.text();
    integration.default_release_id = c.maybe_id<ReleaseId>();
    integration.default_release_channel =
        c.maybe([](Columns& columns) { return columns.word(parse_channel); });
    integration.network = c.word(parse_network_mode);
    integration.egress_names = read_list(c.text());
    integration.on_lost = c.word(parse_on_lost);
    integration.wall_time = std::chrono::seconds{c.integer()};
    integration.memory_bytes = static_cast<std::uint64_t>(c.integer());
    integration.archived = c.flag();
    integration.paused = c.flag();
    integration.created = c.time();
    integration.modified = c.time();
    integration.connectors = connectors_of(db, integration.id);
    return integration;
}

Result<void> check_egress_names(const std::vector<std::string>& names) {
    if (names.size() > limits::kEgressNames)
        return fail_at(FailureKind::unprocessable, "egress_names",
                       "'egress_names' has {} names; at most {} are allowed, and '*.example.com' "
                       "stands for all below it",
                       names.size(), limits::kEgressNames);
    for (const std::string& name : names)
        if (const auto good = parse_egress_name(name); !good)
            return fail_at(FailureKind::unprocessable, "egress_names", "'egress_names': {}",
                           good.error().message);
    return {};
}

Result<void> check_integration(const Integration& integration) {
    if (auto ok = check_slug("name", integration.name); !ok) return ok;
    if (auto ok = check_egress_names(integration.egress_names); !ok) return ok;
    if (integration.long_name.size() > limits::kLongNameBytes)
        return fail_at(FailureKind::unprocessable, "long_name",
                       "'long_name' has {} bytes; at most {} are allowed",
                       integration.long_name.size(), limits::kLongNameBytes);
    if (integration.wall_time < std::chrono::seconds{1} ||
        integration.wall_time > limits::kMaxWallTime)
        return fail_at(FailureKind::unprocessable, "wall_time_seconds",
                       "'wall_time_seconds' must be between 1 and {}",
                       std::chrono::seconds{limits::kMaxWallTime}.count());
    if (integration.memory_bytes == 0 || integration.memory_bytes > (std::uint64_t{1} << 50))
        return fail_at(FailureKind::unprocessable, "memory_mib",
                       "'memory_mib' must be between 1 and {}", std::uint64_t{1} << 30);
    return {};
}

Result<void> name_taken(std::string_view name) {
    return fail_at(FailureKind::conflict, "name",
                   "there is an integration '{}' already; choose another 'name'", name);
}

}  // namespace

Result<void> check_slug(std::string_view field, std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (!name.empty() && name.size() <= limits::kNameBytes && name.front() != '-' &&
        name.back() != '-' && std::ranges::all_of(name, allowed))
        return {};
    return fail_at(FailureKind::unprocessable, std::string{field},
                   "'{}' is '{}'; it must have 1 to {} lower-case letters, digits and inner '-'",
                   field, printable(name), limits::kNameBytes);
}

Result<Integration> create_integration(Db& db, const By& by, const Integration& wanted) {
    if (auto ok = check_integration(wanted); !ok) return pass_on(ok);
    if (wanted.default_release_id)
        return fail_at(FailureKind::unprocessable, "default_release_id",
                       "a new integration has no releases; set 'default_release_id' later");
    const auto row = db.one(
        "insert into integrations (name, long_name, type, repository_url, repository_path,"
        " repository_tracking_branch, default_release_channel, network,"
        " egress_names, on_lost, wall_time_seconds, memory_bytes, archived, paused, created,"
        " modified)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)"
        " on conflict do nothing returning id",
        {wanted.name, wanted.long_name, wanted.type, wanted.repository_url, wanted.repository_path,
         wanted.repository_tracking_branch, channel_word(wanted.default_release_channel),
         to_string(wanted.network), list_text(wanted.egress_names), to_string(wanted.on_lost),
         wanted.wall_time.count(), wanted.memory_bytes, wanted.archived, wanted.paused, by.now});
    if (!row) {
        auto taken = name_taken(wanted.name);
        return pass_on(taken);
    }
    const IntegrationId id{row->integer(0)};
    audit(db, by, "integration.create", fmt::format("integration {}", id.value), wanted.name);
    for (const IntegrationConnector& connector : wanted.connectors)
        if (auto ok = attach_connector(db, by, id, connector); !ok) return pass_on(ok);
    return get_integration(db, id);
}

Result<Integration> get_integration(Db& db, IntegrationId id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no integration '{}'", id.value);
    return read_integration(db, *row);
}

Result<Integration> get_integration_by_name(Db& db, std::string_view name) {
    const auto row = db.one(fmt::format("{} where name = $1", kSelect), {name});
    if (!row) return fail(FailureKind::not_found, "there is no integration '{}'", printable(name));
    return read_integration(db, *row);
}

Result<std::vector<Integration>> list_integrations(Db& db, bool archived, const Page& page) {
    ListQuery query{kSelect};
    query.where("archived =", archived);
    if (auto ok = query.order(page, kSortFields); !ok) return pass_on(ok);
    return read_rows(query.run(db), [&](const Row& row) { return read_integration(db, row); });
}

Result<Integration> update_integration(Db& db, const By& by, const Integration& changed) {
    if (auto ok = check_integration(changed); !ok) return pass_on(ok);
    if (db.one("select 1 from integrations where name = $1 and id <> $2",
               {changed.name, changed.id})) {
        auto taken = name_taken(changed.name);
        return pass_on(taken);
    }
    if (changed.default_release_id &&
        !db.one("select 1 from releases where id = $1 and integration_id = $2",
                {changed.default_release_id, changed.id}))
        return fail_at(FailureKind::unprocessable, "default_release_id",
                       "integration '{}' has no release '{}'", changed.name,
                       changed.default_release_id->value);
    const bool held_back =
        db.one("select 1 from integrations where id = $1 and (paused = 1 or archived = 1)",
               {changed.id})
            .has_value();
    const auto rows = db.exec(
        "update integrations set name = $2, long_name = $3, type = $4, repository_url = $5,"
        " repository_path = $6, repository_tracking_branch = $7, default_release_id = $8,"
        " default_release_channel = $9, network = $10, egress_names = $11, on_lost = $12,"
        " wall_time_seconds = $13, memory_bytes = $14, archived = $15, paused = $16,"
        " modified = $17 where id = $1",
        {changed.id, changed.name, changed.long_name, changed.type, changed.repository_url,
         changed.repository_path, changed.repository_tracking_branch, changed.default_release_id,
         channel_word(changed.default_release_channel), to_string(changed.network),
         list_text(changed.egress_names), to_string(changed.on_lost), changed.wall_time.count(),
         changed.memory_bytes, changed.archived, changed.paused, by.now});
    if (rows == 0)
        return fail(FailureKind::not_found, "there is no integration '{}'", changed.id.value);
    if (held_back && !changed.archived && !changed.paused) forget_credit(db, changed.id);
    audit(db, by, "integration.update", fmt::format("integration {}", changed.id.value),
          changed.name);
    return get_integration(db, changed.id);
}

}  // namespace berth
