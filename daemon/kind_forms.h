// Connector kinds → the JSON objects of the API.
#pragma once

#include <string_view>

#include "connectors/kind.h"
#include "connectors/kinds.h"
#include "control/api.h"
#include "model/json.h"

namespace berth {

// All that a person needs who connects or provisions: no endpoints are hidden, none is secret.
Json kind_form(const ConnectorKind& kind);
Json kind_line(const ConnectorKind& kind);  // in a list

// Whether all files of kinds could be read, for the doctor.
DoctorCheck check_kinds(const KindBook& kinds);

// The variables that a run finds for a connector of this kind ("Show Secret Keys").
Json variables_form(const ConnectorKind& kind, std::string_view connector);

}  // namespace berth
