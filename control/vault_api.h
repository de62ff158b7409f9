// The vault's operations, as the routes see them; daemon/vault_service.h implements them.
#pragma once

#include "control/api.h"
#include "model/vault.h"

namespace berth {

class VaultApi {
public:
    virtual ~VaultApi() = default;

    virtual void vault(Done<VaultView>) = 0;
    // Answered when it has begun; vault() says how far it is.
    virtual void rotate(Caller who, RotationInput input, Done<VaultView>) = 0;
    // For ever: its data key, its secrets, its settings and payloads.
    virtual void delete_tenant(Caller who, TenantId id, Done<void>) = 0;
    // What the store has now counts from now on, also where the runner has seen later changes.
    virtual void accept_restore(Caller who, Done<VaultView>) = 0;
};

}  // namespace berth
