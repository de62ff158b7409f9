// Releases: code and its PANDIUM.yaml, frozen together.
#pragma once

#include <vector>

#include "base/error.h"
#include "model/values.h"
#include "store/audit.h"
#include "store/db.h"

namespace berth {

// id and created are set here. The same content as an earlier release of the
// integration gives that release back, unchanged.
Result<Release> create_release(Db& db, const By& by, const Release& wanted);

Result<Release> get_release(Db& db, ReleaseId id);
// not_found also when the release belongs to another integration.
Result<Release> get_release_of(Db& db, IntegrationId integration, ReleaseId id);
Result<std::vector<Release>> list_releases(Db& db, IntegrationId integration);  // newest first
Result<Release> latest_release(Db& db, IntegrationId integration);
// What the integration's default names: a release, or the channel Latest; Latest
// when it names neither.
Result<Release> default_release(Db& db, IntegrationId integration);
// Also clears the integration's default channel.
Result<void> set_default_release(Db& db, const By& by, IntegrationId integration, ReleaseId id);

// What a run of this tenant executes: its own release, or its channel's.
Result<Release> release_for(Db& db, const Tenant& tenant, const Integration& integration);

}  // namespace berth
