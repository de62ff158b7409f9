#include "store/store_failures.h"

#include <fmt/format.h>

#include "store/db.h"

namespace berth {

Failure disk_is_full() {
    return {FailureKind::unavailable,
            "the store's disk is full, so nothing new is accepted; make room, and it goes on by "
            "itself",
            {}};
}

Failure failure_of(const std::exception& error) {
    const auto* const trouble = dynamic_cast<const StoreError*>(&error);
    if (trouble && trouble->kind() == StoreError::Kind::full) return disk_is_full();
    if (trouble && trouble->kind() == StoreError::Kind::damaged)
        return {FailureKind::conflict,
                fmt::format("the store is damaged: {}; restore a backup", trouble->what()),
                {}};
    if (trouble && trouble->kind() == StoreError::Kind::busy)
        return {FailureKind::busy, "another program holds the store's lock; try again later", {}};
    return {FailureKind::unavailable, "the store has failed; see the log of berthd", {}};
}

bool breaks_store(const std::exception& error) {
    const auto* const trouble = dynamic_cast<const StoreError*>(&error);
    return trouble && (trouble->kind() == StoreError::Kind::io ||
                       trouble->kind() == StoreError::Kind::corrupt);
}
bool is_full(const std::exception& error) {
    const auto* const trouble = dynamic_cast<const StoreError*>(&error);
    return trouble && trouble->kind() == StoreError::Kind::full;
}

}  // namespace berth
