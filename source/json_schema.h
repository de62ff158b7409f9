// A JSON Schema (draft 7) validator for settings and metadata. Our own, because
// its refusals are read by people, and because a hostile schema or value must
// cost no more than a bounded amount of work: patterns run on RE2 (linear time),
// steps and depth are counted, `$ref` never leaves the document.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/json.h"

namespace berth {

struct SchemaProblem {
    std::string property;  // `page_size`, `mapping[2].in`; empty: the whole
    std::string message;   // `must be a whole number, not text`
    bool operator==(const SchemaProblem&) const = default;
};

// `format` says nothing by itself (draft 7); settings do check dates and times.
enum class Formats { ignore, check };

// What is wrong with the schema itself: unknown types, a `$ref` to nothing, a
// `pattern` that RE2 does not take. `property` is the place as a JSON pointer.
std::vector<SchemaProblem> check_json_schema(const Json& schema);

// Whether `value` fits; empty when it does. The schema must have passed
// check_json_schema(). At most 32 problems are told. They
// name what was expected and never repeat a value.
std::vector<SchemaProblem> validate_json(const Json& schema, const Json& value,
                                         Formats formats = Formats::ignore);

// What `#`, `#/definitions/x` or `definitions/x` means in `root`; null when there
// is no such thing, or it lies in another document.
const Json* find_ref(const Json& root, std::string_view ref);

}  // namespace berth
