#include "daemon/call_order.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.h"
#include "connectors/call_rules.h"
#include "connectors/template.h"
#include "daemon/manifests.h"
#include "model/limits.h"

namespace berth {
namespace {

// `{shop}` in an address is letters, digits and '-._~', so that it stays the part that it
// is; where it stands for all of it, as in `{base_url}`, it may be an address.
Result<std::string> fill_address(std::string_view text, const ConnectionMaterial& material) {
    return fill_template(text, [&](const TemplatePlace& place) -> Result<std::string> {
        std::string_view value = material.find_readable(place.name);
        if (value.empty())
            return fail_at(FailureKind::unprocessable, place.name,
                           "the connection has no '{}' yet; set it first", place.name);
        const bool is_address = value.starts_with("https://") || value.starts_with("http://");
        const bool stands_alone =
            place.before.empty() && (place.after.empty() || place.after.front() == '/');
        if (is_address && stands_alone) {
            while (value.ends_with('/'))
                value.remove_suffix(1);
        } else if (percent_encoded_part(value) != value) {
            return fail_at(FailureKind::unprocessable, place.name,
                           "'{}' may have letters, digits and '-._~' only, since it becomes part "
                           "of an address",
                           place.name);
        }
        return std::string{value};
    });
}

// Of a pattern like `*.{shop}.example.com`, or of a whole address in a field.
Result<std::string> fill_host(std::string_view pattern, const ConnectionMaterial& material) {
    auto filled = fill_address(pattern, material);
    if (!filled) return filled;
    if (filled->find("://") == std::string::npos) return to_lower_ascii(*filled);
    auto target = parse_call_target(*filled);
    if (!target) return pass_on(target);
    return target->host;
}

// The administrator's instead of the kind's own, unless that is made of it.
std::optional<std::string> provisioned_base(const ConnectorKind& kind,
                                            const ConnectionMaterial& material) {
    const auto given = material.provisioning.find("base_url");
    const bool is_part = kind.base_url.find("{base_url}") != std::string::npos;
    const bool is_given = given != material.provisioning.end() && !given->second.empty();
    if (kind.base_url.empty() || !is_given || is_part) return {};
    return given->second;
}

Result<std::string> base_address(const ConnectorKind& kind, const ConnectionMaterial& material) {
    if (auto given = provisioned_base(kind, material)) return *std::move(given);
    return fill_address(kind.base_url, material);
}

// A path is one below that address.
Result<std::string> whole_address(const ConnectorKind& kind, const ConnectionMaterial& material,
                                  const std::string& target) {
    if (!target.starts_with("/")) return target;
    if (kind.base_url.empty())
        return fail_at(FailureKind::invalid, "body.target_url",
                       "'target_url' must be a whole address: the kind '{}' has none of its own",
                       kind.name);
    auto base = base_address(kind, material);
    if (!base) return base;
    while (base->ends_with('/'))
        base->pop_back();
    return *base + target;
}

std::vector<std::string> hosts_of_call(const ConnectorKind& kind,
                                       const ConnectionMaterial& material) {
    std::vector<std::string> hosts;
    for (const std::string& pattern : kind.hosts)
        if (auto host = fill_host(pattern, material)) hosts.push_back(std::move(*host));
    // The administrator's own; what a connection says must be among the kind's.
    if (const auto base = provisioned_base(kind, material))
        if (const auto target = parse_call_target(*base))
            if (std::ranges::find(hosts, target->host) == hosts.end())
                hosts.push_back(target->host);
    return hosts;
}

}  // namespace

std::vector<std::string> fields_of_auth(const RequestAuth& auth) {
    std::vector<std::string> names;
    for (const std::string* text : {&auth.value, &auth.user, &auth.password})
        for (const std::string& name : template_names(*text).value_or(std::vector<std::string>{}))
            if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    return names;
}

std::vector<std::string> named_hosts(std::span<const std::string> egress_allow) {
    std::vector<std::string> named;
    for (const std::string& entry : egress_allow)
        if (parse_call_target("http://" + entry) && entry.find(':') != entry.npos &&
            entry.find('/') == entry.npos)
            named.push_back(to_lower_ascii(entry));
    return named;
}

Result<CallRequest> make_call(const ConnectorKind& kind, const ConnectionMaterial& material,
                              const CallInput& input, std::span<const std::string> named) {
    CallRequest request;
    if (!is_method(input.method))
        return fail_at(FailureKind::invalid, "body.method",
                       "'{}' is no method of a call; there are GET, HEAD, POST, PUT, PATCH, DELETE",
                       printable(input.method, 40));
    request.method = input.method;
    auto address = whole_address(kind, material, input.target);
    if (!address) return pass_on(address);
    request.url = std::move(*address);
    for (const auto& [name, value] : input.query)
        request.url = with_query(std::move(request.url), name, value);
    const auto target = parse_call_target(request.url);
    if (!target) return tl::unexpected<Failure>{target.error()};
    request.hosts = hosts_of_call(kind, material);
    request.named.assign(named.begin(), named.end());
    if (auto may = may_reach(*target, request.hosts, request.named); !may) return pass_on(may);

    std::set<std::string> given;
    for (const auto& [name, value] : input.headers) {
        if (auto good = check_header(name, value); !good) return pass_on(good);
        given.insert(to_lower_ascii(name));
    }
    request.headers = input.headers;
    for (const auto& [name, value] : kind.headers)
        if (given.insert(to_lower_ascii(name)).second) request.headers.emplace_back(name, value);
    if (input.body) {
        request.body = *input.body;
        request.has_body = true;
        if (!given.contains("content-type"))
            request.headers.emplace_back("Content-Type", input.type);
    }
    request.auth = kind.request;
    for (const std::string& name : fields_of_auth(kind.request)) {
        if (material.find_secret(name) != nullptr)
            request.secrets.push_back(name);
        else if (const auto value = material.find_readable(name); !value.empty())
            request.fields[name] = value;
        else
            return fail_at(FailureKind::unprocessable, name,
                           "the connection has no '{}'; connect it again with it", name);
    }
    request.time = limits::kCallTime - std::chrono::seconds{3};
    return request;
}

Job make_call_job(const ConnectionMaterial& material, const CallRequest& request,
                  std::string actor) {
    Job job;
    job.program = JobProgram::call;
    job.purpose = "call";
    job.actor = std::move(actor);
    job.connection = material.connection.id;
    job.connector = material.connection.connector_id;
    for (const std::string& name : request.secrets) {
        const ConnectionSecret& secret = *material.find_secret(name);
        const DataKeyRow& key = material.key_of(secret);
        job.secrets.push_back({{std::string{kCallSecretPrefix} + name},
                               {scope_for_runner(secret.scope), secret.connector_id.value,
                                secret.sealed_as, secret.version},
                               {key.id, key.envelope},
                               secret.envelope});
    }
    job.files.push_back({kCallRequestFile, to_text(request)});
    job.egress_names = request.hosts;
    for (const std::string& one : request.named)
        job.egress_names.push_back(one.substr(0, one.rfind(':')));
    job.wall_time = limits::kCallTime;
    return job;
}

CallOutput output_of(const CallAnswer& answer) {
    CallOutput output;
    output.status = answer.status;
    output.type = answer.type;
    output.body = answer.body;
    switch (answer.fault) {
        case CallFault::none: break;
        case CallFault::refused: output.status = 400; break;
        case CallFault::unreachable:
        case CallFault::too_large: output.status = 502; break;
        case CallFault::timed_out: output.status = 504; break;
    }
    if (answer.fault != CallFault::none)
        output.fault = answer.reason.empty() ? "the partner did not answer" : answer.reason;
    return output;
}

}  // namespace berth
