#include "model/env_name.h"

#include <algorithm>

#include "base/text.h"

namespace berth {

std::vector<std::string> secret_env_names(std::string_view connector, std::string_view field) {
    const std::string hyphens =
        "PAN_SEC_" + to_upper_ascii(connector) + "_" + to_upper_ascii(field);
    std::string underscores = hyphens;
    std::ranges::replace(underscores, '-', '_');
    if (underscores == hyphens) return {hyphens};
    return {hyphens, std::move(underscores)};
}

}  // namespace berth
