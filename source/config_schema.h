// The settings form of an integration (`configs.schema`) and its metadata schema:
// the platform's dialect turned into JSON Schema, options that come from an init
// run or from metadata, defaults, and the check of a tenant's settings.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "model/json.h"
#include "source/json_schema.h"

namespace berth {

// The dialect in JSON Schema's words: `min`/`max` -> `minimum`/`maximum`, `ref` ->
// `$ref`, `definitions/x` -> `#/definitions/x`, a missing `type: object` added.
Json normalise_schema(const Json& schema);

// `schema` with the options a tenant really has. Lists in `dynamic_configs` (an
// init run's output, by definition name) replace a definition's `enum` or
// `oneOf`; `#/metadata/key` takes the list in `metadata`, else the default in
// `metadata_schema`. A definition that is still waiting for its init run (it has
// placeholders and is not in `dynamic_configs`) stays as it is written.
Json resolve_options(const Json& schema, const Json& dynamic_configs, const Json& metadata,
                     const Json& metadata_schema);

// A tenant's settings against the schema; empty when they fit. Where a property's
// options come from a definition or from metadata that no init run has filled
// yet, any value is accepted (docs/decisions: settings may be stored before the
// first init run); once it has been filled, only its options are.
std::vector<SchemaProblem> check_configs(const Json& schema, const Json& configs,
                                         const Json& dynamic_configs, const Json& metadata);

// The settings a run sees: `configs` over the schema's defaults; a box that was
// never ticked is `false`.
Json with_defaults(const Json& schema, const Json& configs);

// What a run printed (the whole object) against metadata_schema. Unknown fields
// are allowed; a list where an object is declared is not.
std::vector<SchemaProblem> check_metadata(const Json& metadata_schema, const Json& value);

// `'page_size' must be at least 1; 'mode' must be one of 'a', 'b'`: for one message.
std::string join_problems(const std::vector<SchemaProblem>& problems);

}  // namespace berth
