#include "model/json.h"

#include <nlohmann/json.hpp>

namespace berth {

Result<Json> parse_json(std::string_view text) {
    return Json::parse(text);
}

std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace berth
