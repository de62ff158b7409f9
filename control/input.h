// What routes read from a request besides ids: paging and JSON bodies, with the
// contract's rules and refusals.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/error.h"
#include "control/http.h"
#include "model/json.h"
#include "model/values.h"

namespace berth {

// `skip` (0), `limit` (100, at most 500) and `sort_by` = `{field}__ASC` or
// `{field}__DESC`, where field is one of `sortable`.
Result<Page> read_page(const Request& request, std::initializer_list<std::string_view> sortable);

// How many are wanted: `name`, from 1 to 500.
Result<std::int64_t> read_limit(const Request& request, std::string_view name,
                                std::int64_t otherwise);

enum class EmptyBody { refused, allowed };  // allowed: read as {}

// The body as a JSON object. Broken JSON is `invalid` (400), JSON that is no
// object `unprocessable` (422, at `body`). The content type has been checked by
// then (Route::content_type).
Result<Json> read_json_object(const Request& request, EmptyBody empty = EmptyBody::refused);

// Empty when none is given.
Result<std::string> read_idempotency_key(const Request& request);

}  // namespace berth
