#include "store/checkpoints.h"

#include "base/log.h"

namespace berth {

// Passive ones run beside the commits. Under commits without a pause they never
// catch up, so past the largest size the writer itself empties the log.
void Checkpoints::after_commit(SqliteDb& writer) {
    const int pages = writer.wal_pages();
    if (pages < copied_at_) copied_at_ = 0;  // the log began anew
    const bool wanted = empty_.exchange(false);
    if (wanted || pages >= truncate_at_) {
        try {
            writer.checkpoint(SqliteDb::Checkpoint::truncate);
            ++count_;
        } catch (const StoreError& error) {
            log_warning("cannot empty the store's write-ahead log, ignoring",
                        {{"error", std::string_view{error.what()}}});
            if (wanted) empty_ = true;
        }
        // A reader in the way makes it fail: not again at the next commit.
        truncate_at_ = writer.wal_pages() + limits::kWalMaxPages;
    } else if (pages >= copied_at_ + limits::kCheckpointPages) {
        copied_at_ = pages;
        copy_back();
    }
}

void Checkpoints::copy_back() {
    worker_.run([this] {
        try {
            db_->checkpoint(SqliteDb::Checkpoint::passive);
            ++count_;
        } catch (const StoreError& error) {
            log_warning("cannot copy the store's write-ahead log back, ignoring",
                        {{"error", std::string_view{error.what()}}});
        }
    });
}

}  // namespace berth
