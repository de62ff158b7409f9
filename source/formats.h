// Checks on text: patterns (RE2, linear in the text whatever the pattern) and the
// formats of the settings form.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace berth {

// Never null; ask ok() and error(). What RE2 cannot do in linear time (back
// references, look-around) is an error, so a release with it is refused.
std::shared_ptr<re2::RE2> compile_pattern(const std::string& pattern);

// Empty when `text` fits `format` or the format is not one of ours (`date`, `time`,
// `date-time`); else what is expected: `a date such as 2026-11-22`. Times may lack
// their seconds and their zone, as the date pickers of browsers give them.
std::string_view check_format(std::string_view format, std::string_view text);

}  // namespace berth
