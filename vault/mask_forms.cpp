#include "vault/mask_forms.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "base/secret.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth::vault {
namespace {

using Forms = std::vector<std::string>;

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

enum class HexCase { lower, upper };

void put_hex(std::string& out, unsigned value, int digits, HexCase hex) {
    const char* alphabet = hex == HexCase::lower ? "0123456789abcdef" : "0123456789ABCDEF";
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
        out += alphabet[value >> shift & 15U];
}

// Each byte through `encode`, which appends to the text.
template <typename F>
std::string map_bytes(std::string_view text, F encode) {
    std::string out;
    out.reserve(text.size() * 2);
    for (const char c : text)
        encode(out, c);
    return out;
}

// As base64 shows it after 0, 1 or 2 other bytes, without the characters that also
// hold bits of the neighbours.
void add_base64(std::string_view text, Forms& out) {
    for (std::size_t before = 0; before < 3; ++before) {
        const std::string shifted = std::string(before, '\0') + std::string{text};
        const std::size_t first = (before * 8 + 5) / 6;
        const std::size_t end = shifted.size() * 8 / 6;
        std::string inner = to_base64(shifted).substr(first, end - first);
        std::string url_safe = inner;
        std::ranges::replace(url_safe, '+', '-');
        std::ranges::replace(url_safe, '/', '_');
        out.push_back(std::move(inner));
        out.push_back(std::move(url_safe));
    }
}

void add_hex(std::string_view text, Forms& out) {
    out.push_back(to_hex(text));
    out.push_back(to_upper_ascii(out.back()));
}

// The code point at the front, which is taken off; a byte that is no UTF-8 stands
// for itself.
char32_t next_code_point(std::string_view& text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const std::size_t size = byte(0) < 0xc0 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
    char32_t point = byte(0);
    if (size > 1 && size <= text.size() && is_utf8(text.substr(0, size))) {
        point = byte(0) & (0x7fU >> size);
        for (std::size_t i = 1; i < size; ++i)
            point = point << 6 | (byte(i) & 0x3fU);
        text.remove_prefix(size);
    } else {
        text.remove_prefix(1);
    }
    return point;
}

void put_u_escape(std::string& out, char32_t point, HexCase hex) {
    const auto put = [&](unsigned unit) {
        out += "\\u";
        put_hex(out, unit, 4, hex);
    };
    if (point > 0xffff) {
        put(0xd800U + static_cast<unsigned>((point - 0x10000) >> 10));
        point = 0xdc00U + ((point - 0x10000) & 0x3ff);
    }
    put(static_cast<unsigned>(point));
}

// How writers of JSON differ.
struct JsonStyle {
    bool ascii = false;         // Python: what is not ASCII as \u....
    bool slash = false;         // PHP: \/
    bool html = false;          // Go: < > & as \u....
    bool short_escapes = true;  // \n and its like
};

std::string json_string(std::string_view text, JsonStyle style, HexCase hex) {
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
    constexpr std::string_view kLetters = "\"\\bfnrt";
    std::string out;
    while (!text.empty()) {
        const std::string_view rest = text;
        const char32_t point = next_code_point(text);
        const char c = rest[0];
        if (point >= 0x80) {
            if (style.ascii)
                put_u_escape(out, point, hex);
            else
                out += rest.substr(0, rest.size() - text.size());
        } else if (const auto at = kShort.find(c);
                   at != std::string_view::npos && (at < 2 || style.short_escapes)) {
            out += '\\';
            out += kLetters[at];
        } else if (c == '/' && style.slash) {
            out += "\\/";
        } else if (point < 0x20 || (style.html && (c == '<' || c == '>' || c == '&'))) {
            put_u_escape(out, point, hex);
        } else {
            out += c;
        }
    }
    return out;
}

void add_json(std::string_view text, Forms& out) {
    for (const HexCase hex : {HexCase::lower, HexCase::upper}) {
        out.push_back(json_string(text, {}, hex));
        out.push_back(json_string(text, {.ascii = true}, hex));
        out.push_back(json_string(text, {.slash = true}, hex));
        out.push_back(json_string(text, {.ascii = true, .slash = true}, hex));
        out.push_back(json_string(text, {.html = true}, hex));
        out.push_back(json_string(text, {.short_escapes = false}, hex));
    }
}

// Every character as \u....
void add_json_u(std::string_view text, Forms& out) {
    for (const HexCase hex : {HexCase::lower, HexCase::upper}) {
        std::string escaped;
        for (std::string_view rest = text; !rest.empty();)
            put_u_escape(escaped, next_code_point(rest), hex);
        out.push_back(std::move(escaped));
    }
}

void add_uri(std::string_view text, Forms& out) {
    // RFC 3986's unreserved; encodeURIComponent; Python's quote; HTML forms; none.
    for (const std::string_view kept : {"-._~", "-._~!*'()", "-._~/", "-._*", ""}) {
        for (const HexCase hex : {HexCase::lower, HexCase::upper}) {
            const auto encode = [&](std::string_view space) {
                return map_bytes(text, [&](std::string& to, char c) {
                    if (is_alnum(c) || kept.find(c) != std::string_view::npos)
                        to += c;
                    else if (c == ' ')
                        to += space;
                    else
                        put_hex(to += '%', static_cast<unsigned char>(c), 2, hex);
                });
            };
            out.push_back(encode("%20"));
            out.push_back(encode("+"));  // as forms have it
        }
    }
}

void add_xml(std::string_view text, Forms& out) {
    struct Style {
        std::string_view double_quote, single_quote;
    };
    for (const Style style : {Style{"\"", "'"}, Style{"&quot;", "&apos;"}, Style{"&quot;", "&#39;"},
                              Style{"&quot;", "&#x27;"}, Style{"&quot;", "'"}}) {
        out.push_back(map_bytes(text, [&](std::string& to, char c) {
            switch (c) {
                case '&': to += "&amp;"; break;
                case '<': to += "&lt;"; break;
                case '>': to += "&gt;"; break;
                case '"': to += style.double_quote; break;
                case '\'': to += style.single_quote; break;
                default: to += c;
            }
        }));
    }
}

void add_shell(std::string_view text, Forms& out) {
    const auto replace = [&](std::string_view special, auto with) {
        out.push_back(map_bytes(text, [&](std::string& to, char c) {
            if (special.find(c) != std::string_view::npos)
                to += with(c);
            else
                to += c;
        }));
    };
    const auto backslash = [](char c) { return std::string{'\\', c}; };
    replace("'", [](char) { return "'\\''"; });    // sh -x, printf %s of many tools
    replace("'", [](char) { return "'\"'\"'"; });  // Python's shlex.quote
    replace("'", [](char) { return "''"; });       // PowerShell, SQL
    replace("'\\", backslash);                     // Python's and Node's repr
    replace("\"\\$`", backslash);                  // within double quotes
    replace("\"\\$`!", backslash);
    replace(" \t!\"#$&'()*;<>?[\\]^`{|},~", backslash);  // bash's printf %q
}

void add_reversed(std::string_view text, Forms& out) {
    out.emplace_back(text.rbegin(), text.rend());
}

bool maskable(std::string_view text) { return trim(text).size() >= limits::kMaskableSecretBytes; }

void add_plain(std::string_view text, Forms& out) {
    out.emplace_back(text);
    out.emplace_back(trim(text));
    if (text.find('\n') == std::string_view::npos) return;
    for (std::string& line : split(text, '\n')) {
        if (maskable(line)) out.emplace_back(trim(line));
        cleanse(line.data(), line.size());
    }
}

void add_reversed_lines(std::string_view text, Forms& out) {
    Forms plain;
    add_plain(text, plain);
    for (std::string& line : plain) {
        add_reversed(line, out);
        cleanse(line.data(), line.size());
    }
}

// Of the value as it is and as it is without blanks around it.
template <void (*Add)(std::string_view, Forms&)>
void add_both(std::string_view text, Forms& out) {
    Add(text, out);
    if (const auto trimmed = trim(text); trimmed != text) Add(trimmed, out);
}

constexpr void (*kEncoders[])(std::string_view, Forms&) = {
    add_plain,         add_both<add_base64>, add_both<add_json>,
    add_both<add_uri>, add_both<add_hex>,    add_both<add_shell>,
    add_both<add_xml>, add_reversed_lines,   add_both<add_json_u>,
};

void cleanse_all(Forms& forms) {
    for (std::string& form : forms)
        cleanse(form.data(), form.size());
    forms.clear();
}

}  // namespace

MaskForms mask_forms(std::span<const std::string_view> secrets) {
    MaskForms result;
    std::set<std::string> each_once;
    std::size_t bytes = 0;
    Forms made;
    for (const auto& encode : kEncoders) {
        for (const std::string_view secret : secrets) {
            if (!maskable(secret)) continue;
            encode(secret, made);
            for (std::string& form : made) {
                if (form.size() < limits::kMaskableSecretBytes || each_once.contains(form))
                    continue;
                if (bytes + form.size() > limits::kMaskPatternBytes) {
                    result.complete = false;
                    continue;
                }
                bytes += form.size();
                each_once.insert(std::move(form));
            }
            cleanse_all(made);
        }
    }
    while (!each_once.empty())
        result.forms.push_back(std::move(each_once.extract(each_once.begin()).value()));
    return result;
}

}  // namespace berth::vault
