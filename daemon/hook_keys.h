// The sealed secrets that deliveries are checked with, as berth-runner needs them. They are
// kept for a while, so that a burst reads them once; the audit says at each reading what
// they are used for, and not at each delivery: whoever knows an address could fill it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "connectors/signature.h"
#include "control/api.h"
#include "sandbox/ipc/messages.h"
#include "store/store.h"
#include "store/webhooks.h"

namespace berth {

struct HookSecrets {
    std::vector<ipc::RunSecret> secrets;
    std::vector<ipc::Manifest> manifests;  // of their scopes
};

// Thread: loop.
class HookKeys {
public:
    HookKeys(Store& store, const Clock& clock) : store_{store}, clock_{clock} {}

    // Those of that stamp (hook_stamp in store/webhooks.h); empty when it has no secret of
    // the scheme's name. Answers at once when they are kept.
    void get(const HookOwner& owner, const std::string& stamp, const std::string& key_field,
             Done<HookSecrets> done);
    // They could not be used: next time they are read anew.
    void forget(const HookOwner& owner);
    // Nor could those that were read anew: for some seconds whoever asks is told why at once.
    // Else anybody who knows the address could have them read and audited without an end.
    void rest(const HookOwner& owner, const std::string& stamp, Failure why);

private:
    struct Kept {
        std::string stamp;
        SteadyTime until{};
        Result<HookSecrets> secrets;
    };
    using Name = std::pair<TenantId, ConnectorId>;
    static Name name_of(const HookOwner& owner) { return {owner.tenant_id, owner.connector_id}; }
    void keep(const Name& name, Kept kept);

    Store& store_;
    const Clock& clock_;
    std::map<Name, Kept> kept_;
};

}  // namespace berth
