#include "connectors/template.h"

#include "base/text.h"

namespace berth {

std::optional<std::vector<std::string>> template_names(std::string_view text) {
    std::vector<std::string> names;
    while (true) {
        const auto brace = text.find_first_of("{}");
        if (brace == std::string_view::npos) return names;
        const auto end = text.find_first_of("{}", brace + 1);
        if (text[brace] != '{' || end == std::string_view::npos || text[end] != '}') return {};
        names.emplace_back(text.substr(brace + 1, end - brace - 1));
        if (names.back().empty()) return {};
        text.remove_prefix(end + 1);
    }
}

Result<std::string> fill_template(std::string_view text, const TemplateValue& value_at) {
    std::string filled;
    while (!text.empty()) {
        const auto open = text.find('{');
        filled += text.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = text.find('}', open);
        if (close == std::string_view::npos)
            return fail(FailureKind::invalid, "'{}' has a '{{' without its '}}'", printable(text));
        const auto value = value_at(
            {std::string{text.substr(open + 1, close - open - 1)}, filled, text.substr(close + 1)});
        if (!value) return value;
        filled += *value;
        text.remove_prefix(close + 1);
    }
    return filled;
}

}  // namespace berth
