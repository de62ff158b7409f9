// The kinds that come with Berth: each loads, and names its variables as the contract has them.
#include "connectors/kinds.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/file.h"
#include "base/text.h"
#include "connectors/kind_fields.h"
#include "connectors/kind_reader.h"
#include "connectors/webhook.h"

using namespace berth;
namespace fs = std::filesystem;

namespace {

const fs::path kFolder = fs::path{BERTH_SOURCE_DIR} / "connectors" / "kinds";

const KindBook& shipped() {
    static const KindBook book{kFolder, {}};
    return book;
}

std::string names_of(const ConnectorKind& kind, std::string_view connector) {
    std::string names;
    for (const KindField& field : kind.fields) {
        const auto variables = env_names(connector, field);
        if (!variables.empty()) names += (names.empty() ? "" : " ") + variables.back();
    }
    return names;
}

// The fields that a run of a connector that is called like its kind finds.
const std::map<std::string, std::string> kVariables{
    {"airtable", "PAN_SEC_AIRTABLE_ACCESS_TOKEN"},
    {"api-key", "PAN_SEC_API_KEY_HOST PAN_SEC_API_KEY_API_KEY"},
    {"apollo-io", "PAN_SEC_APOLLO_IO_API_KEY"},
    {"aws", "PAN_SEC_AWS_ACCESS_KEY_ID PAN_SEC_AWS_SECRET_ACCESS_KEY PAN_SEC_AWS_REGION"},
    {"basic", "PAN_SEC_BASIC_HOST PAN_SEC_BASIC_USER PAN_SEC_BASIC_PASSWORD"},
    {"generic-client-credentials", "PAN_SEC_GENERIC_CLIENT_CREDENTIALS_ACCESS_TOKEN"},
    {"generic-oauth2", "PAN_SEC_GENERIC_OAUTH2_ACCESS_TOKEN"},
    {"github", "PAN_SEC_GITHUB_ACCESS_TOKEN"},
    {"gitlab", "PAN_SEC_GITLAB_HOST PAN_SEC_GITLAB_ACCESS_TOKEN"},
    {"google", "PAN_SEC_GOOGLE_SERVICE_ACCOUNT_JSON PAN_SEC_GOOGLE_SUBJECT"},
    {"google-oauth", "PAN_SEC_GOOGLE_OAUTH_ACCESS_TOKEN"},
    {"gorgias", "PAN_SEC_GORGIAS_ACCOUNT PAN_SEC_GORGIAS_EMAIL PAN_SEC_GORGIAS_API_KEY"},
    {"gorgias-oauth", "PAN_SEC_GORGIAS_OAUTH_ACCOUNT PAN_SEC_GORGIAS_OAUTH_ACCESS_TOKEN"},
    {"hubspot-basic", "PAN_SEC_HUBSPOT_BASIC_ACCESS_TOKEN PAN_SEC_HUBSPOT_BASIC_API_KEY"},
    {"hubspot-oauth", "PAN_SEC_HUBSPOT_OAUTH_ACCESS_TOKEN"},
    {"hubspot-private-app", "PAN_SEC_HUBSPOT_PRIVATE_APP_ACCESS_TOKEN"},
    {"jira", "PAN_SEC_JIRA_SITE PAN_SEC_JIRA_EMAIL PAN_SEC_JIRA_API_TOKEN"},
    {"klaviyo", "PAN_SEC_KLAVIYO_ACCESS_TOKEN"},
    {"mailchimp", "PAN_SEC_MAILCHIMP_SERVER_PREFIX PAN_SEC_MAILCHIMP_ACCESS_TOKEN"},
    {"microsoft", "PAN_SEC_MICROSOFT_DIRECTORY PAN_SEC_MICROSOFT_ACCESS_TOKEN"},
    {"microsoft-oauth", "PAN_SEC_MICROSOFT_OAUTH_ACCESS_TOKEN"},
    {"mysql",
     "PAN_SEC_MYSQL_HOST PAN_SEC_MYSQL_PORT PAN_SEC_MYSQL_DATABASE PAN_SEC_MYSQL_USER "
     "PAN_SEC_MYSQL_PASSWORD"},
    {"netsuite",
     "PAN_SEC_NETSUITE_ACCOUNT_ID PAN_SEC_NETSUITE_CONSUMER_KEY PAN_SEC_NETSUITE_CONSUMER_SECRET "
     "PAN_SEC_NETSUITE_TOKEN_ID PAN_SEC_NETSUITE_TOKEN_SECRET"},
    {"netsuite-oauth", "PAN_SEC_NETSUITE_OAUTH_ACCOUNT_ID PAN_SEC_NETSUITE_OAUTH_ACCESS_TOKEN"},
    {"notion", "PAN_SEC_NOTION_WORKSPACE_ID PAN_SEC_NOTION_ACCESS_TOKEN"},
    {"postgresql",
     "PAN_SEC_POSTGRESQL_HOST PAN_SEC_POSTGRESQL_PORT PAN_SEC_POSTGRESQL_DATABASE "
     "PAN_SEC_POSTGRESQL_USER PAN_SEC_POSTGRESQL_PASSWORD PAN_SEC_POSTGRESQL_SSLMODE"},
    {"quickbooks", "PAN_SEC_QUICKBOOKS_REALM_ID PAN_SEC_QUICKBOOKS_ACCESS_TOKEN"},
    {"salesforce", "PAN_SEC_SALESFORCE_INSTANCE_URL PAN_SEC_SALESFORCE_ACCESS_TOKEN"},
    {"sendgrid", "PAN_SEC_SENDGRID_API_KEY"},
    {"sftp",
     "PAN_SEC_SFTP_HOST PAN_SEC_SFTP_PORT PAN_SEC_SFTP_USER PAN_SEC_SFTP_PASSWORD "
     "PAN_SEC_SFTP_PRIVATE_KEY PAN_SEC_SFTP_HOST_KEY"},
    {"shipbob", "PAN_SEC_SHIPBOB_WEBHOOK_SECRET PAN_SEC_SHIPBOB_ACCESS_TOKEN"},
    {"shopify", "PAN_SEC_SHOPIFY_SHOP PAN_SEC_SHOPIFY_ACCESS_TOKEN"},
    {"slack", "PAN_SEC_SLACK_TEAM_ID PAN_SEC_SLACK_ACCESS_TOKEN"},
    {"standard-webhooks", ""},
    {"stripe", "PAN_SEC_STRIPE_API_KEY"},
    {"twilio", "PAN_SEC_TWILIO_ACCOUNT_SID PAN_SEC_TWILIO_AUTH_TOKEN"},
    {"xero", "PAN_SEC_XERO_ACCESS_TOKEN"},
    {"zendesk", "PAN_SEC_ZENDESK_SUBDOMAIN PAN_SEC_ZENDESK_EMAIL PAN_SEC_ZENDESK_API_TOKEN"},
    {"zendesk-oauth", "PAN_SEC_ZENDESK_OAUTH_SUBDOMAIN PAN_SEC_ZENDESK_OAUTH_ACCESS_TOKEN"},
};

}  // namespace

TEST_CASE("every kind that comes with Berth is right", "[connectors]") {
    CHECK(shipped().troubles() == std::vector<std::string>{});
    CHECK(shipped().all().size() >= 25);
    for (const auto& entry : fs::directory_iterator{kFolder}) {
        INFO(entry.path());
        const auto kind = read_kind(*read_file(entry.path(), 1 << 20), entry.path().string());
        if (!kind) FAIL(kind.error().message);
        // Where it was read is told at its top.
        const auto text = *read_file(entry.path(), 1 << 20);
        CHECK(text.starts_with("# "));
        CHECK(text.substr(0, text.find("\nname:")).find("https://") != std::string::npos);
        CHECK_FALSE(kind->documentation.empty());
    }
}

TEST_CASE("the manual's small kind is right, and every key is explained there", "[connectors]") {
    const auto text = *read_file(fs::path{BERTH_SOURCE_DIR} / "docs" / "connectors.md", 1 << 20);
    std::string small;
    const auto begin = text.find("## A small one");
    const auto end = text.find("`berth connector create", begin);
    REQUIRE(end != std::string::npos);
    for (const std::string& line : split(text.substr(begin, end - begin), '\n'))
        if (line.starts_with("    ")) small += line.substr(4) + "\n";
    const auto kind = read_kind(small, "acme.yaml");
    if (!kind) FAIL(kind.error().message);
    CHECK(kind->find_field("api_key")->secret);

    // The reader's own lists: it names them when a key is wrong.
    for (const char* wrong : {"zzz: 1\n", "name: a\ntitle: A\nfields: [{zzz: 1}]\n",
                              "name: a\ntitle: A\nrequest: {zzz: 1}\n",
                              "name: a\ntitle: A\nauth: oauth2_code\noauth2: {zzz: 1}\n"}) {
        const auto refused = read_kind(wrong, "a.yaml");
        REQUIRE_FALSE(refused);
        const std::string& told = refused.error().message;
        const auto list = told.find("one of: ", told.find("'zzz'"));
        REQUIRE(list != std::string::npos);
        for (const std::string& key :
             split(told.substr(list + 8, told.find('\n', list) - list - 8), ',')) {
            INFO(key);
            CHECK(text.find("`" + std::string{trim(key)} + "`") != std::string::npos);
        }
    }
}

TEST_CASE("the table of kinds in the manual has each kind once, and no other", "[connectors]") {
    const auto text = *read_file(fs::path{BERTH_SOURCE_DIR} / "docs" / "connectors.md", 1 << 20);
    const auto begin = text.find("<!-- kinds -->");
    const auto end = text.find("<!-- end -->", begin);
    REQUIRE(end != std::string::npos);
    std::vector<std::string> listed;
    for (const std::string& row : split(text.substr(begin, end - begin), '\n')) {
        const auto cells = split(row, '|');
        if (cells.size() < 4 || trim(cells[1]) == "kind" || cells[1].starts_with("---")) continue;
        CHECK_FALSE(trim(cells[2]).empty());
        CHECK_FALSE(trim(cells[3]).empty());
        for (const std::string& name : split(cells[1], ','))
            listed.emplace_back(trim(name));
    }
    std::ranges::sort(listed);
    std::vector<std::string> there;
    for (const auto& [name, kind] : shipped().all())
        there.push_back(name);
    CHECK(listed == there);
}

TEST_CASE("every kind names its variables as integrations know them", "[connectors]") {
    std::map<std::string, std::string> found;
    for (const auto& [name, kind] : shipped().all())
        found[name] = names_of(kind, name);
    CHECK(found == kVariables);
}

TEST_CASE("names that the contract has come from a kind under the connector's name",
          "[connectors]") {
    // What integrations read, the connector's name there, and a kind that gives it.
    const std::vector<std::array<std::string, 3>> contract{
        {"PAN_SEC_AWS_ACCESS_KEY_ID", "aws", "aws"},
        {"PAN_SEC_AWS_SECRET_ACCESS_KEY", "aws", "aws"},
        {"PAN_SEC_HUBSPOT_ACCESS_TOKEN", "hubspot", "hubspot-private-app"},
        {"PAN_SEC_HUBSPOT_API_KEY", "hubspot", "hubspot-basic"},
        {"PAN_SEC_HUBSPOT_BASIC_API_KEY", "hubspot-basic", "hubspot-basic"},
        {"PAN_SEC_HUBSPOT-BASIC_API_KEY", "hubspot-basic", "hubspot-basic"},
        {"PAN_SEC_HUBSPOT-BASIC_ACCESS_TOKEN", "hubspot-basic", "hubspot-basic"},
        {"PAN_SEC_HUBSPOT_OAUTH_ACCESS_TOKEN", "hubspot-oauth", "hubspot-oauth"},
        {"PAN_SEC_APOLLO_IO_API_KEY", "apollo-io", "apollo-io"},
        {"PAN_SEC_APOLLO-IO_API_KEY", "apollo-io", "apollo-io"},
        {"PAN_SEC_SLACK_OAUTH_ACCESS_TOKEN", "slack-oauth", "slack"},
        {"PAN_SEC_SHIPBOB_ACCESS_TOKEN", "shipbob", "shipbob"},
        {"PAN_SEC_SHIPBOB_WEBHOOK_SECRET", "shipbob", "shipbob"},
        {"PAN_SEC_GORGIAS_OAUTH_ACCESS_TOKEN", "gorgias-oauth", "gorgias-oauth"},
        {"PAN_SEC_GORGIAS_OAUTH_ACCOUNT", "gorgias-oauth", "gorgias-oauth"},
    };
    for (const auto& [variable, connector, name] : contract) {
        INFO(variable);
        const ConnectorKind* kind = shipped().find(name);
        REQUIRE(kind != nullptr);
        CHECK(std::ranges::any_of(kind->fields, [&](const KindField& field) {
            const auto names = env_names(connector, field);
            return std::ranges::count(names, variable) == 1;
        }));
    }
}

TEST_CASE("what cannot be tried with a library of the provider's is read as its pages say",
          "[connectors]") {
    HookRequest notice;
    notice.method = "POST";
    notice.body = R"({"value":[{"clientState":"s3cret","changeType":"updated"}]})";
    for (const char* name : {"microsoft", "microsoft-oauth"}) {
        INFO(name);
        const WebhookScheme& graph = *shipped().find(name)->webhook;
        const auto proof = read_proof(graph, notice, Time{});
        REQUIRE(proof);
        CHECK(proof->candidates == std::vector<std::string>{"s3cret"});
        CHECK(read_subject(graph, notice, *proof).event == "updated");
        HookRequest question;
        question.query = {{"validationToken", "Validation: asked"}};
        const auto answer = unsigned_handshake(graph, question);
        REQUIRE(answer);
        CHECK(answer->body == "Validation: asked");
        CHECK(answer->content_type.starts_with("text/plain"));
    }
    // Events that one brings about share X-Gitlab-Event-UUID: none of them may be lost.
    HookRequest push;
    push.headers = {{"x-gitlab-token", "s"},
                    {"x-gitlab-event", "Push Hook"},
                    {"x-gitlab-event-uuid", "shared"},
                    {"idempotency-key", "own"}};
    const WebhookScheme& gitlab = *shipped().find("gitlab")->webhook;
    CHECK(read_subject(gitlab, push, *read_proof(gitlab, push, Time{})).id == "own");
    push.headers.pop_back();  // GitLab before 17.4
    CHECK(read_subject(gitlab, push, *read_proof(gitlab, push, Time{})).id.empty());
}

TEST_CASE("providers that want JSON, expiring tokens or newer endpoints get them", "[connectors]") {
    const auto oauth2 = [](const char* name) -> const OAuth2& {
        return *shipped().find(name)->oauth2;
    };
    CHECK(oauth2("notion").json_token);
    CHECK(oauth2("zendesk-oauth").json_token);
    CHECK(oauth2("quickbooks").json_revoke);
    CHECK_FALSE(oauth2("quickbooks").json_token);
    CHECK(oauth2("shopify").token_parameters ==
          std::map<std::string, std::string>{{"expiring", "1"}});
    CHECK(oauth2("shipbob").pkce);
    CHECK(oauth2("hubspot-oauth").token_url.find("/oauth/v1/") == std::string::npos);
    CHECK(std::ranges::count(oauth2("xero").scopes, "accounting.transactions") == 0);
}

TEST_CASE("no run gets what renews its tokens", "[connectors]") {
    for (const auto& [name, kind] : shipped().all()) {
        INFO(name);
        for (const char* field : {"refresh_token", "client_secret"})
            if (const KindField* found = kind.find_field(field)) CHECK_FALSE(found->in_environment);
    }
}

TEST_CASE("an administrator's kind serves beside ours, a wrong one harms no other",
          "[connectors]") {
    const TempDir own{"kinds"};
    const auto put = [&](const std::string& name, std::string_view text) {
        write_file_atomically(own.path() / name, text, 0600);
    };
    put("acme.yaml", "name: acme\ntitle: Acme\nfields:\n  - {name: api_key, label: Key}\n");
    put("bad.yaml", "name: bad\ntitle: Bad\nfeilds: []\n");
    put("slack.yaml", "name: slack\ntitle: Mine\nfields:\n  - {name: api_key, label: Key}\n");
    put("notes.txt", "no kind");
    const KindBook book{kFolder, own.path()};
    CHECK(book.find("acme") != nullptr);
    CHECK(book.find("bad") == nullptr);
    REQUIRE(book.find("slack") != nullptr);
    CHECK(book.find("slack")->title == "Slack");
    REQUIRE(book.troubles().size() == 2);
    CHECK_THAT(book.troubles()[0],
               Catch::Contains("bad.yaml:3:") && Catch::Contains("key 'feilds' is not known here"));
    CHECK_THAT(book.troubles()[1], Catch::Contains("there is a kind 'slack' already"));
    const KindBook none{kFolder, own.path() / "none"};
    CHECK_THAT(none.troubles().at(0), Catch::Contains("cannot be read"));
    CHECK(none.find("slack") != nullptr);
}

TEST_CASE("kinds are read again: new ones, changed ones, and none is lost to a slip",
          "[connectors]") {
    const TempDir own{"kinds"};
    const auto put = [&](const std::string& name, std::string_view text) {
        write_file_atomically(own.path() / name, text, 0600);
    };
    const std::string field = "fields:\n  - {name: api_key, label: Key}\n";
    put("acme.yaml", "name: acme\ntitle: Acme\n" + field);
    put("gone.yaml", "name: gone\ntitle: Gone\n" + field);
    KindBook book{kFolder, own.path()};
    const ConnectorKind* held = book.find("acme");
    REQUIRE(held != nullptr);

    put("acme.yaml", "name: acme\ntitle: Acme 2\n" + field);
    put("more.yaml", "name: more\ntitle: More\n" + field);
    fs::remove(own.path() / "gone.yaml");
    book.reload(own.path());
    CHECK(book.find("acme")->title == "Acme 2");
    CHECK(book.find("more") != nullptr);
    CHECK(book.find("gone") == nullptr);
    CHECK(held->title == "Acme");  // whoever began with it goes on with it

    put("acme.yaml", "name: acme\ntitel: Acme 3\n" + field);
    book.reload(own.path());
    CHECK(book.find("acme")->title == "Acme 2");
    REQUIRE(book.troubles().size() == 1);
    CHECK_THAT(book.troubles()[0], Catch::Contains("acme.yaml:2:") &&
                                       Catch::Contains("key 'titel' is not known here") &&
                                       Catch::Contains("the kind stays as it was before"));
    book.reload(own.path() / "none");
    CHECK(book.find("more") != nullptr);
    CHECK_THAT(book.troubles().at(0), Catch::Contains("cannot be read"));

    // Nothing has changed: what is found is the very same.
    const ConnectorKind* same = book.find("more");
    book.reload(own.path() / "none");
    CHECK(book.find("more") == same);
    book.reload({});
    CHECK(book.find("more") == nullptr);
    CHECK(book.find("slack") != nullptr);
    CHECK(book.troubles().empty());
}

TEST_CASE("an unknown kind is refused with those that are nearest", "[connectors]") {
    CHECK(shipped().check("slack"));
    CHECK(shipped().check("custom"));
    const auto refused = [](const char* name) {
        const auto checked = shipped().check(name);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().kind == FailureKind::unprocessable);
        return checked.error().message;
    };
    CHECK_THAT(refused("hubspot"), Catch::Contains("'hubspot'") && Catch::Contains("hubspot-"));
    CHECK_THAT(refused("shopfy"), Catch::Contains("the nearest are: shopify"));
}
