// PANDIUM.yaml -> Manifest: every variant of pandium-contract.md 2 is read, and
// every mistake is told with its line, its column and what to write instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace berth {

// `base: golang:1.26`. The name is normalised (lower case, golang -> go, closure
// -> clojure); an absent version is empty.
struct BaseName {
    std::string name;
    std::string version;  // one to three numbers: `24`, `3.10`, `20.9.0`
    std::string written;
    bool operator==(const BaseName&) const = default;
};

Result<BaseName> parse_base(std::string_view written);

struct Manifest {
    std::string version;  // as written: `0.4`, `1.0`
    BaseName base;
    std::string build;  // may be empty
    std::string run;
    std::vector<std::string> connectors;
    std::string config_schema;          // JSON text, in JSON Schema's own words; empty: no settings
    std::string ui_schema;              // JSON text as written; may be empty
    std::string metadata_schema;        // JSON text, as config_schema; empty: no metadata
    std::vector<std::string> warnings;  // tolerated, worth telling: `PANDIUM.yaml:9:1: ...`
};

// Collects all mistakes of the content: the failure's text has one line for each,
// `where` is the place of the first.
Result<Manifest> read_manifest(std::string_view text, std::string_view file_name = "PANDIUM.yaml");

}  // namespace berth
