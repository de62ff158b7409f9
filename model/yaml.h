// Restricted YAML: text -> JSON value, with the line and column of every key and
// value. The limits (size, depth, nodes, aliases and what they expand to) are
// enforced while the parser runs, so a bomb is refused before it is built.
// Refused as well: tags of one's own, merge keys, duplicate keys, keys that are
// not plain text, tabs in the indentation, a second document, invalid UTF-8.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/json.h"

namespace berth {

struct YamlMark {
    int line = 1;    // from 1, as editors count
    int column = 1;  // in characters
    bool operator==(const YamlMark&) const = default;
};

struct YamlPlace {
    YamlMark key;  // the key's own place; where there is none, the value's
    YamlMark value;
    std::string written;  // a scalar as it stands in the text: `1.0` stays `1.0`
};

struct YamlDocument {
    std::string file;                         // as named in messages
    std::shared_ptr<const Json> value;        // never null
    std::map<std::string, YamlPlace> places;  // by JSON pointer, "" is the root

    // The place of `pointer`, or of the nearest thing around it.
    const YamlPlace& place(std::string_view pointer) const;
};

// Every failure's text begins with `FILE:LINE:COLUMN: `.
Result<YamlDocument> read_yaml(std::string_view text, std::string_view file_name);

}  // namespace berth
