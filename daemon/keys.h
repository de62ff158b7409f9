// The wrapped keys and envelopes between store and runner: berthd carries them
// and can open none.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/api.h"
#include "daemon/manifests.h"
#include "daemon/runner_link.h"
#include "daemon/while_alive.h"
#include "store/keys.h"
#include "store/secrets.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class Keys {
public:
    Keys(Store& store, RunnerLink& runner, const Clock& clock)
        : store_{store}, runner_{runner}, clock_{clock}, manifests_{store, runner} {}

    // Hands the stored keys to a runner that has just come, or that lacks one of them; makes
    // and stores the first one where there is none. One at a time: a runner that is asked twice
    // before its first key is stored would make two. Who comes meanwhile gets the next one,
    // since what he wants loaded may have been stored after the keys were read for this one.
    void load(Done<void> done);

    // What changes sealed fields in the store goes through it.
    Manifests& manifests() { return manifests_; }

    // Where the secrets of one write belong; `version` from a SecretReservation.
    struct Place {
        KeyScope scope;
        ConnectorId connector;
        std::uint64_t version = 0;
    };
    // Seals them under the scope's data key, which is made if there is none. What comes of it
    // is stored by a change() of that scope; `busy` there: the key was replaced meanwhile, seal
    // again.
    void seal(const std::string& actor, const Place& place,
              const std::map<std::string, Secret>& secrets, Done<std::vector<SealedField>> done);

    // Seals every value and stores them all, or none.
    void store_secrets(Caller who, ConnectionOwner owner, std::string connector,
                       std::map<std::string, Secret> secrets, Done<Connection> done);

    // Whether the run could not start for a key that the runner has not loaded: another daemon
    // has made it. One that was refused since its secrets were tampered with goes on record.
    bool lacks_key(const ipc::Ended& ended);

    // The key of this scope, made if there is none yet.
    void with_data_key(const KeyScope& scope, const std::string& actor, Done<DataKeyRow> done);
    // A new one, not stored yet.
    void make_data_key(const KeyScope& scope, Done<DataKeyRow> done);

private:
    struct Sealing;
    struct Storing;
    void load_next();
    void load_now(Done<void> done);
    void seal_next(std::shared_ptr<Sealing> sealing);
    void seal_and_store(std::shared_ptr<Storing> storing);

    Store& store_;
    RunnerLink& runner_;
    const Clock& clock_;
    Manifests manifests_;
    std::vector<Done<void>> loading_;    // of the load that is under way
    std::vector<Done<void>> load_next_;  // of the one after it
    WhileAlive while_alive_;
};

}  // namespace berth
