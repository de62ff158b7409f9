// Rotation of keys while runs and writes go on: takes the next batch of what is still under an
// old key from the store, has the runner wrap or seal it anew, puts it back. What is left is
// counted in the store, so it goes on after any end of either program.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/loop/timer.h"
#include "control/api.h"
#include "daemon/keys.h"
#include "daemon/manifests.h"
#include "daemon/runner_link.h"
#include "model/vault.h"
#include "store/rotations.h"
#include "store/store.h"

namespace berth {

// Thread: loop.
class Rotation {
public:
    struct Parts {
        Loop& loop;
        const Clock& clock;
        Store& store;
        RunnerLink& runner;
        Keys& keys;
    };
    explicit Rotation(Parts parts);
    ~Rotation() { *alive_ = false; }

    // Begins one; conflict while another is under way. Answered when it is on record.
    void rotate(const By& by, RotationInput input, Done<void> done);
    // The runner has its keys: what was begun goes on, keys that wrap nothing are dropped.
    void go_on();
    void close() { closed_ = true; }

    // Why it does not go on; empty: it does, or there is none.
    const std::string& trouble() const { return trouble_; }

private:
    static constexpr std::int64_t kBatch = 100;  // rows of a step

    void rotate_kek(const By& by, Done<void> done);
    void begin(const By& by, RotationKind kind, std::optional<KeyScope> scope, Done<void> done);
    void next();
    void stepped(Result<void> result);
    void finish(const RotationRow& rotation);
    void root_step(const RotationRow& rotation);
    void kek_step(const RotationRow& rotation);
    // rotation_data.cpp
    void data_step(const RotationRow& rotation);
    void replace_data_key(const DataKeyRow& old);
    void reseal(const DataKeyRow& old);
    void reseal_rows(const DataKeyRow& from, const DataKeyRow& to, std::vector<SealedRow> rows);
    void drop(const DataKeyRow& old);
    By by() const { return {"berthd", parts_.clock.now()}; }

    Parts parts_;
    std::string trouble_;
    bool busy_ = false;  // a step is under way
    bool closed_ = false;
    Timer again_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth
