// The forms in which a secret may show up in a log: reliability.md S15's table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::vault {

struct MaskForms {
    std::vector<std::string> forms;  // sorted, each once; to be cleansed by whoever is done
    bool complete = true;            // false: kMaskPatternBytes left some out
};

// The likelier forms of all secrets come before the rarer ones of any, so that a
// budget that runs out costs the rarest.
MaskForms mask_forms(std::span<const std::string_view> secrets);

}  // namespace berth::vault
