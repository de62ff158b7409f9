// What the tests of rotation and manifests share: a real store and berthd's side of the keys,
// with the runner's real keys behind a socket, in one process. Either side can die at any
// message or operation and come back.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop/stream.h"
#include "daemon/keys.h"
#include "daemon/rotation.h"
#include "daemon/vault_service.h"
#include "sandbox/runner/keys.h"
#include "tests/store/support.h"
#include "tests/support/run_loop.h"

namespace berth::test {

vault::RootKey root_key(char fill);

// berth-runner with nothing but its keys.
class KeyRunner {
public:
    KeyRunner(Loop& loop, const std::filesystem::path& dir);

    // Another process: it knows what its files say, and no more.
    void restart();
    void use_roots(char current, std::vector<char> previous = {});

    runner::Keys& keys() { return *keys_; }
    std::int64_t messages() const { return messages_; }
    // It dies at this message from now on: before it is looked at, or after its answer was
    // made and never sent.
    enum class Dies { never, before, after };
    void die_at(std::int64_t message, Dies how);
    bool dead() const { return dead_; }

private:
    void serve(Fd connected);
    void heard(ipc::MessageType type, std::string_view payload);

    Loop& loop_;
    const std::filesystem::path dir_;
    char root_ = 'r';
    std::vector<char> previous_;
    std::optional<runner::Keys> keys_;
    std::unique_ptr<ipc::Channel> channel_;
    Listener listener_;
    std::int64_t messages_ = 0;
    std::int64_t die_at_ = 0;
    Dies dies_ = Dies::never;
    bool dead_ = false;
};

// berthd with nothing but its keys.
struct KeyDaemon {
    KeyDaemon(Loop& loop, const std::filesystem::path& dir);

    FixedClock clock;
    std::unique_ptr<Store> store;
    RunnerLink link;
    Keys keys;
    Rotation rotation;
    VaultService vault;

private:
    void came();
    bool loading_ = false;
};

class KeyHouse {
public:
    // This many tenants with a connector each, that has so many fields.
    explicit KeyHouse(int tenants, int fields = 3);
    ~KeyHouse();

    void kill_daemon();  // with all that is under way; what was accepted by the store stays
    void start_daemon();
    void kill_runner();  // and starts another
    void ready();

    // Seals and stores all values through Keys::store_secrets.
    void fill();
    Result<Connection> store(std::size_t tenant, std::map<std::string, std::string> values);
    // What a run of the tenant gets, as berthd hands it over: one snapshot of the store.
    struct Sealed {
        std::vector<ipc::RunSecret> secrets;
        std::vector<ipc::Manifest> manifests;
        bool is_copy_of(const Sealed& other) const;
    };
    Result<Sealed> sealed(std::size_t tenant);
    // As a run does it: that, then the runner's check and opening. What was read may have been
    // overtaken by a step of a rotation: it is read again then, as berthd does. The first
    // refusal of what the store still has, or nothing when all have the value they should.
    std::optional<Failure> open(std::size_t tenant);
    std::optional<Failure> open_all();
    int overtaken = 0;  // times that something was read again

    Result<void> rotate(RotationInput input);
    void rotate_to_the_end(RotationInput input);
    bool rotating();
    VaultView view();
    // One SQL statement past everything, with the daemon stopped.
    void tamper(const std::function<void(Db&)>& how);

    TempDir dir{"keys"};
    Loop loop;
    KeyRunner runner{loop, dir.path()};
    std::unique_ptr<KeyDaemon> daemon;
    IntegrationId integration{};
    std::vector<TenantId> tenants;
    std::vector<std::map<std::string, std::string>> values;  // of each tenant
};

}  // namespace berth::test
