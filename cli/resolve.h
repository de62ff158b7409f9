// From what a person types to the object that is meant. A text of digits is an
// id; anything else is a name, looked up in the list routes. A name that fits
// several objects is refused with the list of them.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/api.h"

namespace berth {

// Each answers with the object itself. An archived one is found only if no live
// one has the name.
Result<Json> find_integration(Api& api, std::string_view id_or_name);
// `integration` (id or name, may be empty) narrows the search; also
// `shop-sync/acme` means tenant `acme` of `shop-sync`.
Result<Json> find_tenant(Api& api, std::string_view id_or_name, std::string_view integration = {});
// By id, name or tag, or the words `default` and `latest`.
Result<Json> find_release(Api& api, const Json& integration, std::string_view which);
// A run by id, or the newest run of the tenant that is named.
Result<Json> find_run(Api& api, std::string_view id_or_tenant);

// All pages of a list route.
Result<Json> get_all(Api& api, const std::vector<std::string>& segments, Pairs query);

}  // namespace berth
