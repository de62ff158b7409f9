#include "control/router.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace berth {
namespace {

bool is_name(std::string_view segment) { return segment.starts_with('{'); }

std::vector<std::string> segments_of(std::string_view pattern) {
    BERTH_ASSERT(pattern.starts_with('/'));
    return split(pattern.substr(1), '/');
}

// The names in braces do not matter: `/a/{x}` and `/a/{y}` are the same shape.
bool same_shape(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const std::string& left, const std::string& right) {
                          return left == right || (is_name(left) && is_name(right));
                      });
}

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    return std::equal(pattern.begin(), pattern.end(), path.begin(), path.end(),
                      [](const std::string& wanted, const std::string& given) {
                          return is_name(wanted) ? !given.empty() : wanted == given;
                      });
}

// The first segment where one has a literal and the other a name decides.
bool more_literal(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (is_name(a[i]) != is_name(b[i])) return is_name(b[i]);
    return false;
}

}  // namespace

void Router::add(Route route) {
    BERTH_ASSERT(!route.summary.empty() && route.handler);
    BERTH_ASSERT(audience_ == Audience::peers ||
                 (route.role == Role::none && !route.pattern.starts_with("/v2/")));
    if (audience_ == Audience::anybody && route.method == Method::get) route.body_limit = 0;
    auto pattern = segments_of(route.pattern);
    for (std::size_t i = 0; i < routes_.size(); ++i)
        BERTH_ASSERT(routes_[i].method != route.method || !same_shape(patterns_[i], pattern));
    routes_.push_back(std::move(route));
    patterns_.push_back(std::move(pattern));
}

void Router::add(std::vector<Route> routes) {
    for (auto& route : routes)
        add(std::move(route));
}

std::variant<Match, NoPath, NoMethod> Router::find(Method method,
                                                   const std::vector<std::string>& path) const {
    const Method wanted = method == Method::head ? Method::get : method;
    std::optional<std::size_t> best;
    std::vector<std::string_view> allowed;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        if (!fits(patterns_[i], path)) continue;
        const auto name = to_string(routes_[i].method);
        if (std::find(allowed.begin(), allowed.end(), name) == allowed.end())
            allowed.push_back(name);
        if (routes_[i].method == wanted && (!best || more_literal(patterns_[i], patterns_[*best])))
            best = i;
    }
    if (allowed.empty()) return NoPath{};
    if (!best) {
        if (std::find(allowed.begin(), allowed.end(), "GET") != allowed.end())
            allowed.push_back(to_string(Method::head));
        return NoMethod{fmt::format("{}", fmt::join(allowed, ", "))};
    }

    Match match{.route = &routes_[*best], .params = {}};
    for (std::size_t i = 0; i < path.size(); ++i) {
        const std::string& segment = patterns_[*best][i];
        if (is_name(segment)) match.params.add(segment.substr(1, segment.size() - 2), path[i]);
    }
    return match;
}

}  // namespace berth
