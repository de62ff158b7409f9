// Texts of kinds that name values in braces: `https://{shop}.example.com`, `Bearer {token}`.
// What a value may be at its place is said by whoever fills it in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth {

// Those of `{name}` in the text, each time; nothing when a brace is not closed or holds no name.
std::optional<std::vector<std::string>> template_names(std::string_view text);

struct TemplatePlace {
    std::string name;
    std::string_view before;  // filled in already
    std::string_view after;   // not yet
};
using TemplateValue = std::function<Result<std::string>(const TemplatePlace& place)>;

// `invalid` when a brace is not closed; the first value that is refused ends it.
Result<std::string> fill_template(std::string_view text, const TemplateValue& value_at);

}  // namespace berth
