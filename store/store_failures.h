// What trouble of the database means to those who asked: its words, and whether the
// store can go on.
#pragma once

#include <exception>

#include "base/error.h"

namespace berth {

Failure disk_is_full();
Failure failure_of(const std::exception& error);

// Past these nothing is certain but what a restart reads back (reliability.md 2.1).
bool breaks_store(const std::exception& error);
// No operation after this one could be committed either.
bool is_full(const std::exception& error);

}  // namespace berth
