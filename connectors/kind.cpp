#include "connectors/kind.h"

#include <algorithm>

namespace berth {

const KindField* ConnectorKind::find_field(std::string_view field) const {
    const auto found = std::ranges::find(fields, field, &KindField::name);
    return found == fields.end() ? nullptr : &*found;
}

}  // namespace berth
