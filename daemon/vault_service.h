// The vault's operations over store, runner and rotation.
#pragma once

#include "base/clock.h"
#include "control/vault_api.h"
#include "daemon/keys.h"
#include "daemon/rotation.h"
#include "daemon/runner_link.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class VaultService final : public VaultApi {
public:
    struct Parts {
        const Clock& clock;
        Store& store;
        RunnerLink& runner;
        Keys& keys;
        Rotation& rotation;
    };
    explicit VaultService(Parts parts) : parts_{parts} {}

    void vault(Done<VaultView> done) override;
    void rotate(Caller who, RotationInput input, Done<VaultView> done) override;
    void delete_tenant(Caller who, TenantId id, Done<void> done) override;
    void accept_restore(Caller who, Done<VaultView> done) override;

private:
    Parts parts_;
};

}  // namespace berth
