// What somebody gives for a connection or a provisioning, held against its kind: which of it
// is sealed, which stays open, what is missing. No refusal says anything of a value.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "connectors/kind.h"

namespace berth {

struct GivenFields {
    std::map<std::string, Secret> secret;
    std::map<std::string, std::string> readable;
};

// `fields`: the kind's, of a connection or of a provisioning. `held`: what is stored already
// and need not be given again. `unprocessable` at `body.fields.NAME`.
Result<GivenFields> check_fields(std::span<const KindField> fields,
                                 std::map<std::string, Secret> given,
                                 const std::set<std::string>& held);

// What is stored is sent nowhere else than where it was stored for: whoever changes a field
// that a host, the base address or an endpoint of the kind names (where the kind has no hosts,
// any readable field) gives all of `sealed`, the names of what is stored, anew; else
// `unprocessable` at `body.fields.NAME`. Without that, who may write a connection could have
// its secrets sent to a host of his own.
Result<void> check_place(const ConnectorKind& kind, const GivenFields& given,
                         const std::map<std::string, std::string>& readable_before,
                         const std::set<std::string>& sealed);

// The fields of a connection that people give: without those that come from the provider.
std::vector<KindField> typed_fields(const ConnectorKind& kind);
// Whether the provider's answer is what gives it.
bool comes_from_provider(const ConnectorKind& kind, std::string_view field);

// The variables that a field of a connector has in the environment of a run (contract 3.2),
// the connector's own spelling first.
std::vector<std::string> env_names(std::string_view connector, const KindField& field);

}  // namespace berth
