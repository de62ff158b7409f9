// Rotation of data keys: a scope's key is replaced, what is sealed under the old one is sealed
// anew in batches, and the old one is dropped when nothing is left under it.
#include <algorithm>
#include <utility>

#include "daemon/rotation.h"

namespace berth {
namespace {

constexpr std::size_t kBatchBytes = 1 << 20;  // of envelopes, in one message

}  // namespace

void Rotation::data_step(const RotationRow& rotation) {
    struct Next {
        std::optional<DataKeyRow> retired, old;
    };
    parts_.store.read(
        [rotation](Db& db) {
            return Next{next_retired_data_key(db, rotation), next_old_data_key(db, rotation)};
        },
        [this, alive = alive_, rotation](Result<Next> found) {
            if (!*alive) return;
            if (!found) return stepped(pass_on(found));
            if (found->retired) return reseal(*found->retired);
            if (found->old) return replace_data_key(*found->old);
            finish(rotation);
        });
}

void Rotation::replace_data_key(const DataKeyRow& old) {
    parts_.keys.make_data_key(old.scope, [this, alive = alive_, old](Result<DataKeyRow> made) {
        if (!*alive) return;
        if (!made) return stepped(pass_on(made));
        parts_.store.write([by = by(), old, made = std::move(*made)](
                               Db& db) { return succeed_data_key(db, by, old, made); },
                           [this, alive](Result<void> done) {
                               if (*alive) stepped(std::move(done));
                           });
    });
}

void Rotation::reseal(const DataKeyRow& old) {
    struct Batch {
        DataKeyRow key;
        std::vector<SealedRow> rows;
    };
    parts_.store.read(
        [old](Db& db) -> Result<Batch> {
            auto key = get_data_key(db, old.scope);
            if (!key) return pass_on(key);
            return Batch{std::move(*key), secrets_under(db, old, kBatch)};
        },
        [this, alive = alive_, old](Result<Batch> batch) {
            if (!*alive) return;
            if (!batch) return stepped(pass_on(batch));
            std::size_t bytes = 0;
            auto& rows = batch->rows;
            const auto last = std::ranges::find_if(rows, [&](const SealedRow& row) {
                bytes += row.envelope.size();
                return bytes > kBatchBytes;
            });
            if (last != rows.begin()) rows.erase(last, rows.end());
            if (rows.empty()) return drop(old);
            reseal_rows(old, batch->key, std::move(rows));
        });
}

void Rotation::reseal_rows(const DataKeyRow& from, const DataKeyRow& to,
                           std::vector<SealedRow> rows) {
    ipc::Reseal question{0, {from.id, from.envelope}, {to.id, to.envelope}, {}};
    for (const SealedRow& row : rows)
        question.secrets.push_back(
            {{scope_for_runner(from.scope), row.connector_id, row.field, row.version},
             row.envelope});
    parts_.runner.ask(
        std::move(question),
        Callback<void(Result<ipc::Rewrapped>)>{
            [this, alive = alive_, from, rows = std::move(rows)](Result<ipc::Rewrapped> sealed) {
                if (!*alive) return;
                if (!sealed) return stepped(pass_on(sealed));
                parts_.keys.manifests().change<bool>(
                    from.scope,
                    [by = by(), from, rows,
                     envelopes = std::move(sealed->envelopes)](Db& db) -> Result<bool> {
                        auto done = replace_secrets(db, by, from, rows, envelopes);
                        if (!done) return pass_on(done);
                        return true;
                    },
                    [this, alive](Result<bool> done) {
                        if (!*alive) return;
                        if (!done) return stepped(pass_on(done));
                        stepped({});
                    });
            }});
}

// The manifest moves to the new key, if nothing has moved it there yet; then the old one goes.
void Rotation::drop(const DataKeyRow& old) {
    parts_.keys.manifests().change<bool>(
        old.scope, [](Db&) -> Result<bool> { return true; },
        [this, alive = alive_, old](Result<bool> moved) {
            if (!*alive) return;
            if (!moved) return stepped(pass_on(moved));
            parts_.store.write(
                [by = by(), old](Db& db) -> Result<void> {
                    auto dropped = drop_data_key(db, by, old);
                    if (!dropped) return pass_on(dropped);
                    return {};
                },
                [this, alive](Result<void> done) {
                    if (*alive) stepped(std::move(done));
                });
        });
}

}  // namespace berth
