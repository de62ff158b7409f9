// What a schedule means, in words: `at 02:30, Monday to Friday`.
#pragma once

#include <string>

#include "model/schedule.h"

namespace berth {

// One phrase without zone: `every 15 minutes`, `at 09:00 on the last Friday of the month`.
std::string in_words(const Pattern& pattern);
// `1 h 30 min`, `45 s`, `2 d`; exact.
std::string in_words(std::chrono::seconds duration);

}  // namespace berth
