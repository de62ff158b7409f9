#include "source/json_schema.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "source/formats.h"
#include "source/json_kinds.h"

namespace berth {
namespace {

constexpr std::size_t kProblems = 32;
constexpr int kDepth = 128;  // of schemas within each other, `$ref` included
constexpr std::size_t kSteps = 300'000;
constexpr std::size_t kListed = 12;  // options named in one message

using Problems = std::vector<SchemaProblem>;

std::string option_text(const Json& option) {
    return option.is_string()
               ? fmt::format("'{}'", printable(option.get_ref<const std::string&>(), 60))
               : printable(to_text(option), 60);
}

std::string one_of(const std::vector<const Json*>& options) {
    if (options.empty()) return "has no options to choose from yet";
    std::vector<std::string> named;
    for (const Json* option : options)
        if (named.size() < kListed) named.push_back(option_text(*option));
    if (options.size() == 1) return fmt::format("must be {}", named[0]);
    const std::string rest =
        options.size() > kListed ? fmt::format(" and {} more", options.size() - kListed) : "";
    return fmt::format("must be one of {}{}", fmt::join(named, ", "), rest);
}

class Validator {
public:
    Validator(const Json& root, Formats formats) : root_{root}, formats_{formats} {}

    Problems run(const Json& value) {
        Problems problems;
        check(root_, value, "", problems);
        if (too_much_)
            problems = {{"", "is too large or too deeply nested to be checked against its schema"}};
        return problems;
    }

private:
    void check(const Json& schema, const Json& value, const std::string& path, Problems& out) {
        if (too_much_ || out.size() >= kProblems) return;
        if (depth_ >= kDepth || ++steps_ > kSteps) {
            too_much_ = true;
            return;
        }
        ++depth_;
        if (schema.is_boolean()) {
            if (!schema.get<bool>()) out.push_back({path, "is not allowed"});
        } else if (schema.is_object()) {
            check_object(schema, value, path, out);
        }
        --depth_;
    }

    void check_object(const Json& schema, const Json& value, const std::string& path,
                      Problems& out) {
        if (const auto ref = schema.find("$ref"); ref != schema.end() && ref->is_string()) {
            const Json* target = find_ref(root_, ref->get_ref<const std::string&>());
            if (target == nullptr)
                out.push_back({path, fmt::format("its schema refers to '{}', which is not there",
                                                 printable(ref->get<std::string>(), 80))});
            else
                check(*target, value, path, out);
            return;  // draft 7: what stands beside `$ref` does not count
        }
        const auto with = [&schema](const char* key, auto&& use) {
            if (const auto found = schema.find(key); found != schema.end()) use(*found);
        };
        const auto bad = [&](std::string message) { out.push_back({path, std::move(message)}); };

        const std::size_t before = out.size();
        with("type", [&](const Json& type) { check_type(type, value, path, out); });
        if (out.size() != before) return;  // the rest would only repeat it
        with("enum", [&](const Json& options) {
            std::vector<const Json*> all;
            for (const Json& option : options)
                all.push_back(&option);
            check_options(all, value, path, out);
        });
        with("const", [&](const Json& only) { check_options({&only}, value, path, out); });
        if (value.is_number()) check_number(with, bad, value);
        if (value.is_string()) check_string(with, bad, value.get_ref<const std::string&>());
        if (value.is_array()) check_list(schema, with, bad, value, path, out);
        if (value.is_object()) check_members(schema, with, bad, value, path, out);
        check_combined(schema, with, bad, value, path, out);
    }

    static void check_type(const Json& type, const Json& value, const std::string& path,
                           Problems& out) {
        const Json types = type.is_array() ? type : Json::array({type});
        std::vector<std::string_view> names;
        for (const Json& one : types) {
            if (!one.is_string() || has_json_type(value, one.get_ref<const std::string&>())) return;
            names.push_back(json_type_text(one.get_ref<const std::string&>()));
        }
        out.push_back(
            {path, fmt::format("must be {}, not {}", fmt::join(names, " or "), json_kind(value))});
    }

    void check_options(const std::vector<const Json*>& options, const Json& value,
                       const std::string& path, Problems& out) {
        steps_ += options.size();
        if (std::ranges::none_of(options, [&](const Json* one) { return *one == value; }))
            out.push_back({path, one_of(options)});
    }

    void check_number(auto& with, auto& bad, const Json& value) {
        const auto limit = [&](const char* key, const char* words, auto&& fits) {
            with(key, [&](const Json& bound) {
                if (bound.is_number() && !fits(json_number(value), json_number(bound)))
                    bad(fmt::format("must be {} {}", words, to_text(bound)));
            });
        };
        using N = long double;
        limit("minimum", "at least", [](N a, N b) { return a >= b; });
        limit("maximum", "at most", [](N a, N b) { return a <= b; });
        limit("exclusiveMinimum", "more than", [](N a, N b) { return a > b; });
        limit("exclusiveMaximum", "less than", [](N a, N b) { return a < b; });
        with("multipleOf", [&](const Json& of) {
            if (of.is_number() && json_number(of) > 0 && !is_multiple(value, of))
                bad(fmt::format("must be a multiple of {}", to_text(of)));
        });
    }

    // minLength, maxItems ...: a count against a bound.
    static void check_count(auto& with, auto& bad, const char* least, const char* most,
                            std::size_t count, const char* unit) {
        with(least, [&](const Json& bound) {
            if (bound.is_number() && static_cast<long double>(count) < json_number(bound))
                bad(fmt::format("must have at least {} {}", to_text(bound), unit));
        });
        with(most, [&](const Json& bound) {
            if (bound.is_number() && static_cast<long double>(count) > json_number(bound))
                bad(fmt::format("must have at most {} {}", to_text(bound), unit));
        });
    }

    void check_string(auto& with, auto& bad, const std::string& text) {
        check_count(with, bad, "minLength", "maxLength", count_characters(text), "characters");
        with("pattern", [&](const Json& pattern) {
            if (!matches(pattern.get<std::string>(), text))
                bad(fmt::format("must match the pattern '{}'",
                                printable(pattern.get<std::string>(), 80)));
        });
        if (formats_ == Formats::ignore) return;
        with("format", [&](const Json& format) {
            const auto expected = check_format(format.get<std::string>(), text);
            if (!expected.empty()) bad("must be " + std::string{expected});
        });
    }

    void check_list(const Json& schema, auto& with, auto& bad, const Json& list,
                    const std::string& path, Problems& out) {
        check_count(with, bad, "minItems", "maxItems", list.size(), "entries");
        with("uniqueItems", [&](const Json& wanted) {
            const std::set<Json> unique(list.begin(), list.end());
            if (wanted == true && unique.size() != list.size())
                bad("must not have the same entry twice");
        });
        with("contains", [&](const Json& wanted) {
            if (std::ranges::none_of(list, [&](const Json& item) { return fits(wanted, item); }))
                bad("lacks an entry that it must contain");
        });
        const auto items = schema.find("items");
        if (items == schema.end()) return;
        const auto rest = schema.find("additionalItems");
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::string item_path = fmt::format("{}[{}]", path, i);
            if (!items->is_array())
                check(*items, list[i], item_path, out);
            else if (i < items->size())
                check((*items)[i], list[i], item_path, out);
            else if (rest != schema.end())
                check(*rest, list[i], item_path, out);
        }
    }

    void check_members(const Json& schema, auto& with, auto& bad, const Json& object,
                       const std::string& path, Problems& out) {
        const auto below = [&path](const std::string& name) {
            return path.empty() ? name : path + "." + name;
        };
        check_count(with, bad, "minProperties", "maxProperties", object.size(), "fields");
        with("required", [&](const Json& names) {
            for (const Json& name : names)
                if (name.is_string() && !object.contains(name.get_ref<const std::string&>()))
                    out.push_back({below(name.get<std::string>()), "is required"});
        });
        with("dependencies", [&](const Json& dependencies) {
            for (const auto& [name, needs] : dependencies.items()) {
                if (!object.contains(name)) continue;
                if (!needs.is_array()) check(needs, object, path, out);
                for (const Json& need : needs.is_array() ? needs : Json::array())
                    if (!object.contains(need.get_ref<const std::string&>()))
                        out.push_back({below(need.get<std::string>()),
                                       fmt::format("is required because of '{}'", name)});
            }
        });
        const auto properties = schema.find("properties");
        const auto patterns = schema.find("patternProperties");
        const auto rest = schema.find("additionalProperties");
        for (const auto& [name, value] : object.items()) {
            bool known = false;
            if (properties != schema.end() && properties->contains(name)) {
                known = true;
                check((*properties)[name], value, below(name), out);
            }
            if (patterns != schema.end())
                for (const auto& [pattern, wanted] : patterns->items())
                    if (matches(pattern, name)) {
                        known = true;
                        check(wanted, value, below(name), out);
                    }
            if (!known && rest != schema.end()) check(*rest, value, below(name), out);
            // Named, since clang-tidy 14 cannot capture a structured binding.
            with("propertyNames", [&, &name = name](const Json& wanted) {
                if (!fits(wanted, name)) out.push_back({below(name), "has a name not allowed"});
            });
        }
    }

    void check_combined(const Json& schema, auto& with, auto& bad, const Json& value,
                        const std::string& path, Problems& out) {
        with("allOf", [&](const Json& all) {
            for (const Json& one : all)
                check(one, value, path, out);
        });
        with("anyOf", [&](const Json& all) {
            if (std::ranges::none_of(all, [&](const Json& one) { return fits(one, value); }))
                bad(alternatives_text(all));
        });
        with("oneOf", [&](const Json& all) {
            const auto count =
                std::ranges::count_if(all, [&](const Json& one) { return fits(one, value); });
            if (count == 0) bad(alternatives_text(all));
            if (count > 1) bad("fits more than one of the forms of which it must have one");
        });
        with("not", [&](const Json& forbidden) {
            if (fits(forbidden, value)) bad("has a form that is not allowed");
        });
        with("if", [&](const Json& condition) {
            const auto branch = schema.find(fits(condition, value) ? "then" : "else");
            if (branch != schema.end()) check(*branch, value, path, out);
        });
    }

    // A titled list of options (`oneOf: [{const, title}]`) names them.
    static std::string alternatives_text(const Json& all) {
        std::vector<const Json*> options;
        for (const Json& one : all)
            if (one.is_object() && one.contains("const")) options.push_back(&one["const"]);
        if (options.size() == all.size()) return one_of(options);
        return fmt::format("fits none of the {} forms of which it must have one", all.size());
    }

    bool fits(const Json& schema, const Json& value) {
        Problems problems;
        check(schema, value, "", problems);
        return problems.empty();
    }

    bool matches(const std::string& pattern, const std::string& text) {
        steps_ += text.size() / 256;
        auto& compiled = patterns_[pattern];
        if (!compiled) compiled = compile_pattern(pattern);
        return compiled->ok() && RE2::PartialMatch(text, *compiled);
    }

    const Json& root_;
    const Formats formats_;
    std::map<std::string, std::shared_ptr<re2::RE2>> patterns_;
    int depth_ = 0;
    std::size_t steps_ = 0;
    bool too_much_ = false;
};

}  // namespace

Problems validate_json(const Json& schema, const Json& value, Formats formats) {
    return Validator{schema, formats}.run(value);
}

}  // namespace berth
