#include "store/tenants.h"

#include <array>
#include <nlohmann/json.hpp>

#include "model/json.h"
#include "model/limits.h"
#include "store/connection_rows.h"
#include "store/shares.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select id, name, user_name, integration_id, archived, paused, configs, dynamic_configs,"
    " user_schedule, schedule, source, release_id, release_channel, created, modified from tenants";

constexpr std::array kSortFields{
    SortField{"id", "id"},
    SortField{"name", "name"},
    SortField{"user_name", "user_name"},
    SortField{"created_date", "created"},
    SortField{"modified_date", "modified"},
};

std::optional<std::string_view> channel_word(const std::optional<Channel>& channel) {
    if (!channel) return {};
    return to_string(*channel);
}

Tenant read_tenant(const Row& row) {
    Columns c{row};
    Tenant tenant;
    tenant.id = c.id<TenantId>();
    tenant.name = c.text();
    tenant.user_name = c.text();
    tenant.integration_id = c.id<IntegrationId>();
    tenant.archived = c.flag();
    tenant.paused = c.flag();
    tenant.configs = c.text();
    tenant.dynamic_configs = c.text();
    tenant.user_schedule = c.text();
    tenant.schedule = c.text();
    tenant.source = c.text();
    tenant.release_id = c.maybe_id<ReleaseId>();
    tenant.release_channel = c.maybe([](Columns& columns) { return columns.word(parse_channel); });
    tenant.created = c.time();
    tenant.modified = c.time();
    return tenant;
}

std::string object_of(TenantId id) { return fmt::format("tenant {}", id.value); }

Result<void> check_tenant(Db& db, const Tenant& tenant) {
    if (trim(tenant.name).empty() || tenant.name.size() > limits::kLongNameBytes ||
        !is_utf8(tenant.name))
        return fail_at(FailureKind::unprocessable, "name", "'name' must have 1 to {} bytes of text",
                       limits::kLongNameBytes);
    if (tenant.release_id && tenant.release_channel)
        return fail_at(FailureKind::unprocessable, "integration_release_id",
                       "'integration_release_id' and 'integration_release_channel' exclude each "
                       "other; give one of them");
    if (tenant.release_id && !db.one("select 1 from releases where id = $1 and integration_id = $2",
                                     {tenant.release_id, tenant.integration_id}))
        return fail_at(FailureKind::unprocessable, "integration_release_id",
                       "integration '{}' has no release '{}'", tenant.integration_id.value,
                       tenant.release_id->value);
    const bool taken =
        !tenant.archived &&
        db.one(
              "select 1 from tenants where integration_id = $1 and name = $2 and archived = 0"
              " and id <> $3",
              {tenant.integration_id, tenant.name, tenant.id})
            .has_value();
    if (taken)
        return fail_at(FailureKind::conflict, "name",
                       "integration '{}' has a tenant '{}' already; choose another 'name'",
                       tenant.integration_id.value, printable(tenant.name));
    return {};
}

Result<Json> parse_object(std::string_view json, std::string_view what) {
    auto value = parse_json(json);
    if (value && !value->is_object())
        return fail_at(FailureKind::unprocessable, std::string{what}, "'{}' is no JSON object",
                       what);
    return value;
}

}  // namespace

Result<Tenant> create_tenant(Db& db, const By& by, const Tenant& wanted) {
    Tenant tenant = wanted;
    tenant.id = {};
    const auto owner =
        db.one("select archived from integrations where id = $1", {tenant.integration_id});
    if (!owner)
        return fail_at(FailureKind::unprocessable, "integration_id", "there is no integration '{}'",
                       tenant.integration_id.value);
    if (owner->integer(0) != 0)
        return fail_at(FailureKind::conflict, "integration_id",
                       "integration '{}' is archived; restore it first",
                       tenant.integration_id.value);
    if (auto ok = check_tenant(db, tenant); !ok) return pass_on(ok);
    const auto row = db.must(
        "insert into tenants (name, user_name, integration_id, archived, paused, configs,"
        " dynamic_configs, user_schedule, schedule, source, release_id, release_channel, created,"
        " modified) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)"
        " returning id",
        {tenant.name, tenant.user_name, tenant.integration_id, tenant.archived, tenant.paused,
         tenant.configs, tenant.dynamic_configs, tenant.user_schedule, tenant.schedule,
         tenant.source, tenant.release_id, channel_word(tenant.release_channel), by.now});
    const TenantId id{row.integer(0)};
    audit(db, by, "tenant.create", object_of(id),
          fmt::format("integration {}", tenant.integration_id.value));
    return get_tenant(db, id);
}

Result<Tenant> get_tenant(Db& db, TenantId id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no tenant '{}'", id.value);
    return read_tenant(*row);
}

Result<std::vector<Tenant>> list_tenants(Db& db, const TenantFilter& filter, const Page& page) {
    ListQuery query{kSelect};
    query.where("archived =", filter.archived);
    if (filter.integration_id) query.where("integration_id =", *filter.integration_id);
    if (filter.user_name) query.where("user_name =", *filter.user_name);
    if (auto ok = query.order(page, kSortFields); !ok) return pass_on(ok);
    return read_rows(query.run(db), read_tenant);
}

Result<Tenant> find_tenant_of_user(Db& db, IntegrationId integration, std::string_view user_name) {
    const auto rows = db.query(
        fmt::format("{} where integration_id = $1 and user_name = $2 and archived = 0 limit 2",
                    kSelect),
        {integration, user_name});
    if (rows.empty() || user_name.empty())
        return fail_at(FailureKind::not_found, "user_name",
                       "integration '{}' has no tenant of user '{}'", integration.value,
                       printable(user_name));
    if (rows.size() > 1)
        return fail_at(FailureKind::conflict, "user_name",
                       "user '{}' has more than one tenant of integration '{}'; sync one by its id",
                       printable(user_name), integration.value);
    return read_tenant(rows.front());
}

Result<Tenant> update_tenant(Db& db, const By& by, const Tenant& changed) {
    const auto before = get_tenant(db, changed.id);
    if (!before) return before;
    if (db.one("select 1 from tenants where id = $1 and deleted is not null", {changed.id}))
        return fail(FailureKind::conflict, "tenant '{}' was deleted for ever", changed.id.value);
    Tenant tenant = changed;
    tenant.integration_id = before->integration_id;
    if (auto ok = check_tenant(db, tenant); !ok) return pass_on(ok);
    db.exec(
        "update tenants set name = $2, user_name = $3, archived = $4, paused = $5, configs = $6,"
        " user_schedule = $7, schedule = $8, source = $9, release_id = $10, release_channel = $11,"
        " modified = $12 where id = $1",
        {tenant.id, tenant.name, tenant.user_name, tenant.archived, tenant.paused, tenant.configs,
         tenant.user_schedule, tenant.schedule, tenant.source, tenant.release_id,
         channel_word(tenant.release_channel), by.now});
    if (tenant.archived) {
        park(db, tenant.id);
        end_attempts(db, tenant.id);
    } else {
        unpark(db, tenant.id);
    }
    audit(db, by, "tenant.update", object_of(tenant.id));
    return get_tenant(db, tenant.id);
}

Result<Tenant> archive_tenant(Db& db, const By& by, TenantId id) {
    auto tenant = get_tenant(db, id);
    if (!tenant || tenant->archived) return tenant;
    db.exec("update tenants set archived = 1, modified = $2 where id = $1", {id, by.now});
    park(db, id);
    end_attempts(db, id);
    audit(db, by, "tenant.archive", object_of(id));
    return get_tenant(db, id);
}

Result<void> set_dynamic_configs(Db& db, const By& by, TenantId id, std::string_view json) {
    const auto changed = db.exec(
        "update tenants set dynamic_configs = $2, modified = $3 where id = $1", {id, json, by.now});
    if (changed == 0) return fail(FailureKind::not_found, "there is no tenant '{}'", id.value);
    audit(db, by, "tenant.dynamic_configs", object_of(id));
    return {};
}

Result<TenantMetadata> get_metadata(Db& db, TenantId id) {
    if (auto tenant = get_tenant(db, id); !tenant) return pass_on(tenant);
    TenantMetadata metadata;
    metadata.tenant_id = id;
    const auto row =
        db.one("select data, created, modified from tenant_metadata where tenant_id = $1", {id});
    if (!row) return metadata;
    Columns c{*row};
    metadata.data = c.text();
    metadata.created = c.time();
    metadata.modified = c.time();
    return metadata;
}

Result<TenantMetadata> replace_metadata(Db& db, const By& by, TenantId id, std::string_view json) {
    if (auto tenant = get_tenant(db, id); !tenant) return pass_on(tenant);
    if (auto object = parse_object(json, "metadata"); !object) return pass_on(object);
    if (json.size() > limits::kMetadataBytes)
        return fail_at(FailureKind::over_limit, "metadata",
                       "the metadata of tenant '{}' would have {} bytes; at most {} are allowed",
                       id.value, json.size(), limits::kMetadataBytes);
    db.exec(
        "insert into tenant_metadata (tenant_id, data, created, modified) values ($1, $2, $3, $3)"
        " on conflict (tenant_id) do update set data = excluded.data, modified = excluded.modified",
        {id, json, by.now});
    audit(db, by, "tenant.metadata", object_of(id));
    return get_metadata(db, id);
}

Result<TenantMetadata> merge_metadata(Db& db, const By& by, TenantId id, std::string_view patch) {
    const auto now = get_metadata(db, id);
    if (!now) return now;
    auto changes = parse_object(patch, "metadata");
    if (!changes) return pass_on(changes);
    auto merged = parse_object(now->data, "metadata");
    if (!merged) return pass_on(merged);
    merged->update(*changes);
    return replace_metadata(db, by, id, to_text(*merged));
}

std::int64_t waiting_triggers(Db& db, TenantId id) {
    const auto row = db.one("select triggers from waiting where tenant_id = $1", {id});
    return row ? row->integer(0) : 0;
}

}  // namespace berth
