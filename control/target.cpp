#include "control/target.h"

#include <algorithm>

#include "base/text.h"

namespace berth {
namespace {

enum class Plus { is_plus, is_space };  // in a query, '+' stands for a space

Result<std::string> decode(std::string_view text, Plus plus) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus == Plus::is_space) {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            const auto byte = from_hex(text.substr(i + 1, 2));
            if (!byte || byte->size() != 1)
                return fail(FailureKind::invalid, "the request's target has a broken '%' escape");
            decoded += *byte;
            i += 2;
        }
    }
    if (!is_utf8(decoded))
        return fail(FailureKind::invalid, "the request's target is not UTF-8 when decoded");
    return decoded;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Result<std::string> decode_segment(std::string_view text) {
    auto segment = decode(text, Plus::is_plus);
    if (!segment) return pass_on(segment);
    if (*segment == "." || *segment == "..")
        return fail(FailureKind::invalid, "the request's path has a '.' or '..' segment");
    for (const char c : *segment)
        if (c == '/' || c == '\\' || is_control(c))
            return fail(FailureKind::invalid,
                        "the request's path has an encoded '/', '\\' or control character");
    return segment;
}

Result<Query> parse_query(std::string_view text) {
    Query query;
    while (!text.empty()) {
        const auto pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        auto name = decode(pair.substr(0, equals), Plus::is_space);
        if (!name) return pass_on(name);
        auto value = equals == pair.npos ? Result<std::string>{std::string{}}
                                         : decode(pair.substr(equals + 1), Plus::is_space);
        if (!value) return pass_on(value);
        if (name->find('\0') != name->npos || value->find('\0') != value->npos)
            return fail(FailureKind::invalid, "the request's query has an encoded NUL");
        query.add(*std::move(name), *std::move(value));
    }
    return query;
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
    if (target.empty() || target.front() != '/')
        return fail(FailureKind::invalid, "the request's target does not start with '/'");
    for (const char c : target)
        if (is_control(c) || static_cast<unsigned char>(c) >= 0x80 || c == ' ' || c == '#' ||
            c == '\\')
            return fail(FailureKind::invalid,
                        "the request's target has a character that must be percent-encoded");

    const auto mark = target.find('?');
    std::string_view rest = target.substr(1, mark == target.npos ? mark : mark - 1);
    Target parsed;
    parsed.raw_path = target.substr(0, mark);
    for (;;) {
        const auto slash = rest.find('/');
        auto segment = decode_segment(rest.substr(0, slash));
        if (!segment) return pass_on(segment);
        parsed.path.push_back(*std::move(segment));
        if (slash == rest.npos) break;
        rest.remove_prefix(slash + 1);
    }
    if (mark != target.npos) {
        auto query = parse_query(target.substr(mark + 1));
        if (!query) return pass_on(query);
        parsed.query = *std::move(query);
        parsed.raw_query = target.substr(mark + 1);
    }
    return parsed;
}

}  // namespace berth
