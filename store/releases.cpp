#include "store/releases.h"

#include "store/integrations.h"
#include "store/sql.h"

namespace berth {
namespace {

constexpr std::string_view kSelect =
    "select id, integration_id, name, tag, config_version, base, runtime, build_command,"
    " run_command, config_schema, ui_schema, metadata_schema, content_hash, created from releases";

Release read_release(const Row& row) {
    Columns c{row};
    Release release;
    release.id = c.id<ReleaseId>();
    release.integration_id = c.id<IntegrationId>();
    release.name = c.text();
    release.tag = c.text();
    release.config_version = c.text();
    release.base = c.text();
    release.runtime = c.text();
    release.build_command = c.text();
    release.run_command = c.text();
    release.config_schema = c.text();
    release.ui_schema = c.text();
    release.metadata_schema = c.text();
    release.content_hash = c.text();
    release.created = c.time();
    return release;
}

Result<Release> default_of(Db& db, const Integration& integration) {
    if (integration.default_release_id)
        return get_release_of(db, integration.id, *integration.default_release_id);
    return latest_release(db, integration.id);
}

}  // namespace

Result<Release> create_release(Db& db, const By& by, const Release& wanted) {
    if (auto owner = get_integration(db, wanted.integration_id); !owner) return pass_on(owner);
    if (wanted.content_hash.empty())
        return fail_at(FailureKind::unprocessable, "content_hash",
                       "a release needs a content hash");
    const auto same =
        db.one(fmt::format("{} where integration_id = $1 and content_hash = $2", kSelect),
               {wanted.integration_id, wanted.content_hash});
    if (same) return read_release(*same);
    const auto row = db.must(
        "insert into releases (integration_id, name, tag, config_version, base, runtime,"
        " build_command, run_command, config_schema, ui_schema, metadata_schema, content_hash,"
        " created) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) returning id",
        {wanted.integration_id, wanted.name, wanted.tag, wanted.config_version, wanted.base,
         wanted.runtime, wanted.build_command, wanted.run_command, wanted.config_schema,
         wanted.ui_schema, wanted.metadata_schema, wanted.content_hash, by.now});
    const ReleaseId id{row.integer(0)};
    audit(
        db, by, "release.create", fmt::format("release {}", id.value),
        fmt::format("integration {} content {}", wanted.integration_id.value, wanted.content_hash));
    return get_release(db, id);
}

Result<Release> get_release(Db& db, ReleaseId id) {
    const auto row = db.one(fmt::format("{} where id = $1", kSelect), {id});
    if (!row) return fail(FailureKind::not_found, "there is no release '{}'", id.value);
    return read_release(*row);
}

Result<Release> get_release_of(Db& db, IntegrationId integration, ReleaseId id) {
    const auto row =
        db.one(fmt::format("{} where id = $1 and integration_id = $2", kSelect), {id, integration});
    if (!row)
        return fail(FailureKind::not_found, "integration '{}' has no release '{}'",
                    integration.value, id.value);
    return read_release(*row);
}

Result<std::vector<Release>> list_releases(Db& db, IntegrationId integration) {
    if (auto owner = get_integration(db, integration); !owner) return pass_on(owner);
    return read_rows(db.query(fmt::format("{} where integration_id = $1 order by id desc", kSelect),
                              {integration}),
                     read_release);
}

Result<Release> latest_release(Db& db, IntegrationId integration) {
    const auto row =
        db.one(fmt::format("{} where integration_id = $1 order by id desc limit 1", kSelect),
               {integration});
    if (!row)
        return fail(FailureKind::not_found,
                    "integration '{}' has no release; push one with 'berth release push'",
                    integration.value);
    return read_release(*row);
}

Result<Release> default_release(Db& db, IntegrationId integration) {
    auto owner = get_integration(db, integration);
    if (!owner) return pass_on(owner);
    return default_of(db, *owner);
}

Result<void> set_default_release(Db& db, const By& by, IntegrationId integration, ReleaseId id) {
    if (auto release = get_release_of(db, integration, id); !release) return pass_on(release);
    db.exec(
        "update integrations set default_release_id = $2, default_release_channel = null,"
        " modified = $3 where id = $1",
        {integration, id, by.now});
    audit(db, by, "integration.default_release", fmt::format("integration {}", integration.value),
          fmt::format("release {}", id.value));
    return {};
}

Result<Release> release_for(Db& db, const Tenant& tenant, const Integration& integration) {
    if (tenant.release_id) return get_release_of(db, integration.id, *tenant.release_id);
    if (tenant.release_channel == Channel::Latest) return latest_release(db, integration.id);
    return default_of(db, integration);
}

}  // namespace berth
