#include "daemon/vault_service.h"

#include <utility>

#include "base/text.h"
#include "store/deletion.h"
#include "store/rotations.h"
#include "store/vault_view.h"

namespace berth {

void VaultService::vault(Done<VaultView> done) {
    parts_.store.read([](Db& db) { return look_at_vault(db); },
                      [this, done = std::move(done)](Result<VaultView> view) mutable {
                          if (!view) return done(std::move(view));
                          if (const auto& hello = parts_.runner.hello()) {
                              view->root_key = to_hex(hello->root_key_id);
                              for (const std::string& id : hello->previous_root_keys)
                                  view->previous_root_keys.push_back(to_hex(id));
                          }
                          view->trouble = parts_.rotation.trouble();
                          done(std::move(view));
                      });
}

void VaultService::rotate(Caller who, RotationInput input, Done<VaultView> done) {
    parts_.rotation.rotate({who.name, parts_.clock.now()}, input,
                           [this, done = std::move(done)](Result<void> begun) mutable {
                               if (!begun) return done(pass_on(begun));
                               vault(std::move(done));
                           });
}

// The log of the store had the keys, too.
void VaultService::delete_tenant(Caller who, TenantId id, Done<void> done) {
    parts_.store.empty_log();
    parts_.store.write([by = By{who.name, parts_.clock.now()},
                        id](Db& db) { return berth::delete_tenant(db, by, id); },
                       std::move(done));
}

// On record before it is done: whoever reads the trail later sees that it was wanted.
void VaultService::accept_restore(Caller who, Done<VaultView> done) {
    auto ask = [this](Done<VaultView> answer) {
        parts_.runner.ask(
            ipc::AcceptRestore{},
            Callback<void(Result<ipc::AnchorSet>)>{
                [this, answer = std::move(answer)](Result<ipc::AnchorSet> set) mutable {
                    if (!set) return answer(pass_on(set));
                    parts_.keys.manifests().complete(
                        [this, answer = std::move(answer)](Result<void> done2) mutable {
                            if (!done2) return answer(pass_on(done2));
                            vault(std::move(answer));
                        });
                }});
    };
    parts_.store.write([by = By{who.name, parts_.clock.now()}](
                           Db& db) { audit(db, by, "vault.accept_restore", "vault"); },
                       [ask, done = std::move(done)](Result<void> written) mutable {
                           if (!written) return done(pass_on(written));
                           ask(std::move(done));
                       });
}

}  // namespace berth
