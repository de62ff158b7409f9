#include "model/host_name.h"

#include <algorithm>

#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

constexpr std::size_t kLabelBytes = 63;  // RFC 1035

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kLabelBytes && label.front() != '-' &&
           label.back() != '-' && std::ranges::all_of(label, [](char c) {
               return is_letter(c) || is_digit(c) || c == '-';
           });
}

}  // namespace

Result<std::string> parse_egress_name(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return fail(FailureKind::unprocessable, "'{}' is not a host name to reach: {}",
                    printable(text, 80), why);
    };
    std::string name{text};
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (name.size() > 1 && name.ends_with('.')) name.pop_back();
    std::string_view rest = name;
    if (rest.starts_with("*.")) rest.remove_prefix(2);
    if (rest.empty()) return refuse("it is empty");
    if (rest.size() > limits::kHostNameBytes)
        return refuse(fmt::format("it is longer than {} bytes", limits::kHostNameBytes));
    if (rest.find_first_of("/:@[] \t") != std::string_view::npos)
        return refuse("give the name alone, without scheme, port or path");
    const auto labels = split(rest, '.');
    if (!std::ranges::all_of(labels, is_label))
        return refuse(
            "its parts have letters, digits and inner '-'; a '*.' may stand in front for all "
            "names below");
    // A last part of digits is how an address looks (and no top-level domain is one).
    if (std::ranges::all_of(labels.back(), is_digit))
        return refuse("it is an address; only berthd's configuration (egress_allow) names those");
    return name;
}

}  // namespace berth
