// All that a run needs, from the store, and the message that starts it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "daemon/grants.h"
#include "model/values.h"
#include "sandbox/ipc/messages.h"
#include "store/db.h"
#include "store/given.h"
#include "store/keys.h"
#include "store/secrets.h"

namespace berth {

class KindBook;

struct RunMaterial {
    Run run;
    Integration integration;
    Tenant tenant;
    Release release;
    std::vector<Trigger> triggers;
    Given given;
    std::vector<RunSecret> secrets;
    std::vector<RunField> open_fields;     // of the same connections, no secrets
    std::vector<DataKeyRow> data_keys;     // one for each of `secrets`
    std::vector<ipc::Manifest> manifests;  // of the scopes of `secrets`
};

// What the configuration has a say in.
struct RunSettings {
    std::string environment;  // PAN_CTX_ENV
    GrantTable grants;
    const KindBook* kinds = nullptr;  // without it, runs get every field of a connection
};

// Reads it, keeps what the run is given, and writes the `secret.use` audit row. `unavailable`
// when a connector's kind is not there: no one could tell what a run may have of it.
// Thread: store.
Result<RunMaterial> gather(Db& db, RunId run, Time now, const RunSettings& settings = {});

// A start, and the weakenings of its sandbox for the run's record: a JSON array of words.
struct PreparedStart {
    ipc::Start start;
    std::string grants;
};

// Pure. The refusal names the setting that no environment can hold, or the grant that
// is missing.
Result<PreparedStart> make_start(const RunMaterial& material, const RunSettings& settings);

// Takes a run that has just begun from `preparing` to `starting`, in the transaction that
// begins it. Nothing, and the run stays as it is, when it has to be prepared on its own: its
// payloads would hold others up, or it cannot be prepared, and then the reason is found again
// there. Thread: store.
std::optional<PreparedStart> start_at_once(Db& db, Run& run, const RunSettings& settings, Time now);

}  // namespace berth
