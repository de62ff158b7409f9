// The wrapped keys and envelopes between store and runner: berthd carries them
// and can open none.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "control/api.h"
#include "daemon/runner_link.h"
#include "store/keys.h"
#include "store/secrets.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class Keys {
public:
    Keys(Store& store, RunnerLink& runner, const Clock& clock)
        : store_{store}, runner_{runner}, clock_{clock} {}

    // Hands the stored keys to a runner that has just come; makes and stores the
    // first one where there is none.
    void load(Done<void> done);

    // Seals every value and stores them all, or none.
    void store_secrets(Caller who, ConnectionOwner owner, std::string connector,
                       std::map<std::string, Secret> secrets, Done<Connection> done);

private:
    struct Sealing;
    void with_data_key(const KeyScope& scope, const std::string& actor, Done<DataKeyRow> done);
    void make_data_key(const KeyScope& scope, const std::string& actor, Done<DataKeyRow> done);
    void seal_next(std::shared_ptr<Sealing> sealing);

    Store& store_;
    RunnerLink& runner_;
    const Clock& clock_;
};

}  // namespace berth
