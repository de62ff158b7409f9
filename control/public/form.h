// The body of a browser's form, and text that is safe inside a page.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"

namespace berth {

// application/x-www-form-urlencoded, at most limits::kFormFields fields, each once. Values
// may be secrets: they are never in a refusal.
Result<std::map<std::string, Secret>> parse_form(std::string_view body);

// For text and for values of attributes in quotes.
std::string html_escaped(std::string_view text);

}  // namespace berth
