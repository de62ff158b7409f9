#include "model/vault.h"

#include <cstdlib>

namespace berth {

std::string_view to_string(RotationKind kind) {
    switch (kind) {
        case RotationKind::root: return "root";
        case RotationKind::kek: return "kek";
        case RotationKind::data: return "data";
    }
    std::abort();
}

std::optional<RotationKind> parse_rotation_kind(std::string_view word) {
    for (const auto kind : {RotationKind::root, RotationKind::kek, RotationKind::data})
        if (word == to_string(kind)) return kind;
    return {};
}

}  // namespace berth
