#include "control/public/form.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

// Nothing when a '%' is not followed by two hex digits.
std::optional<std::string> decoded(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            plain += ' ';
        } else if (text[i] != '%') {
            plain += text[i];
        } else {
            const auto byte = from_hex(text.substr(i + 1, 2));
            if (!byte || byte->size() != 1) return {};
            plain += *byte;
            i += 2;
        }
    }
    return plain;
}

}  // namespace

Result<std::map<std::string, Secret>> parse_form(std::string_view body) {
    std::map<std::string, Secret> fields;
    while (!body.empty()) {
        const std::string_view pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(body.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const auto equals = std::min(pair.find('='), pair.size());
        const auto name = decoded(pair.substr(0, equals));
        auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value || !is_utf8(*name) || !is_utf8(*value) || fields.contains(*name) ||
            fields.size() == limits::kFormFields || value->find('\0') != std::string::npos)
            return fail(FailureKind::invalid, "the form cannot be read; load the page again");
        // Browsers end lines of a text area with CR LF; a key file has LF.
        std::erase(*value, '\r');
        fields.emplace(*name, Secret{*value});
        cleanse(value->data(), value->size());
    }
    return fields;
}

std::string html_escaped(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    for (const char c : text)
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default: safe += c;
        }
    return safe;
}

}  // namespace berth
