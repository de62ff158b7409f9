#include "model/ids.h"

#include <algorithm>

#include "base/crypto.h"

namespace berth {

TriggerId TriggerId::make() { return {random_id()}; }

std::optional<TriggerId> TriggerId::parse(std::string_view text) {
    const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    if (text.size() != 32 || !std::ranges::all_of(text, hex)) return {};
    return TriggerId{std::string{text}};
}

}  // namespace berth
