// Reads one kind's file part by part: what each part means and which parts go together. The
// root and the fields are in kind_reader.cpp, what is sent to the provider, and what comes
// from it, in kind_requests.cpp. Internal to both.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connectors/kind.h"
#include "connectors/kind_file.h"

namespace berth {

class KindReader : private KindFile {
public:
    KindReader(YamlDocument document, std::string_view file_name)
        : KindFile{std::move(document)}, file_name_{file_name} {}

    Result<ConnectorKind> read();

private:
    bool is_field(std::string_view name) const;
    void check_https(const std::string& at, std::string_view url);
    void check_template(const std::string& at, std::string_view text);
    // An address: of one host, or of one that an administrator or a customer names.
    void check_address(const std::string& at, std::string_view url);

    void read_fields(const Json& root, const char* key, std::vector<KindField>& into);
    void read_field(const std::string& at, const Json& map, std::vector<KindField>& into);
    void read_oauth2(const Json& root);
    // What need not be written into every file: the tokens, the client, what an
    // administrator may choose for every provider.
    void add_usual_fields(const Json& root);
    void check_answers();
    void read_request(const Json& root);
    void read_headers(const Json& root);
    void read_hosts(const Json& root);
    void read_webhook(const Json& map);

    std::string_view file_name_;
    ConnectorKind kind_;
};

}  // namespace berth
