// The table of forms: each as the program that writes it would.
#include "vault/mask_forms.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "model/limits.h"

using namespace berth;
using namespace berth::vault;

namespace {

std::vector<std::string> forms_of(std::string_view secret) {
    const std::vector<std::string_view> secrets{secret};
    return mask_forms(secrets).forms;
}

void has_form(std::string_view secret, std::string_view form) {
    INFO("secret " << secret << ", form " << form);
    CHECK(std::ranges::count(forms_of(secret), form) == 1);
}

}  // namespace

TEST_CASE("a secret is looked for in each form of the table", "[vault]") {
    const std::string secret = "pa\"s's/<w&d>+ \\é$1";
    has_form(secret, secret);
    has_form("  hunter22\n", "hunter22");
    // echo -n ... | base64, python3 -c 'base64.urlsafe_b64encode(...)'
    has_form("hunter22", "aHVudGVyMj");  // aHVudGVyMjI= without what its tail shares
    has_form("hunter22", "h1bnRlcjIy");  // "x" before: eGh1bnRlcjIy
    has_form("hunter22", "odW50ZXIyM");  // "xx" before: eHhodW50ZXIyMg==
    has_form("??\?>>>??\?", "Pz8/Pj4+Pz8/");
    has_form("??\?>>>??\?", "Pz8_Pj4-Pz8_");
    has_form("hunter22", "68756e7465723232");
    has_form("jklmnop!", "6A6B6C6D6E6F7021");
    // JSON.stringify, json.dumps, PHP's json_encode, Go's json.Marshal
    has_form(secret, R"(pa\"s's/<w&d>+ \\é$1)");
    has_form(secret, R"(pa\"s's/<w&d>+ \\\u00e9$1)");
    has_form(secret, R"(pa\"s's\/<w&d>+ \\\u00e9$1)");
    has_form(secret, R"(pa\"s's/\u003cw\u0026d\u003e+ \\é$1)");
    has_form("line\none\ttwo", R"(line\none\ttwo)");
    has_form("line\none\ttwo", R"(line\u000aone\u0009two)");
    has_form("hunter😀x", R"(hunter\ud83d\ude00x)");
    has_form("aé😀bcde", R"(\u0061\u00e9\ud83d\ude00\u0062\u0063\u0064\u0065)");
    has_form("jklmno", R"(\u006A\u006B\u006C\u006D\u006E\u006F)");
    // encodeURIComponent, urllib.parse.quote, quote_plus, lower-case writers
    has_form(secret, "pa%22s's%2F%3Cw%26d%3E%2B%20%5C%C3%A9%241");
    has_form(secret, "pa%22s%27s/%3Cw%26d%3E%2B%20%5C%C3%A9%241");
    has_form(secret, "pa%22s%27s%2F%3Cw%26d%3E%2B+%5C%C3%A9%241");
    has_form(secret, "pa%22s%27s%2f%3cw%26d%3e%2b%20%5c%c3%a9%241");
    // xml.sax.saxutils.escape, html.escape, others
    has_form(secret, "pa\"s's/&lt;w&amp;d&gt;+ \\é$1");
    has_form(secret, "pa&quot;s&#x27;s/&lt;w&amp;d&gt;+ \\é$1");
    has_form(secret, "pa&quot;s&apos;s/&lt;w&amp;d&gt;+ \\é$1");
    // set -x, shlex.quote, "...", printf %q
    has_form(secret, R"(pa"s'\''s/<w&d>+ \é$1)");
    has_form(secret, R"(pa"s'"'"'s/<w&d>+ \é$1)");
    has_form(secret, R"(pa\"s's/<w&d>+ \\é\$1)");
    has_form(secret, R"(pa\"s\'s/\<w\&d\>+\ \\é\$1)");
    has_form("hunter22", "22retnuh");
    // each line of a key file, also backwards
    has_form("-----BEGIN-----\r\nMIIEvQ\nab\n", "MIIEvQ");
    has_form("-----BEGIN-----\r\nMIIEvQ\nab\n", "QvEIIM");
    has_form("-----BEGIN-----\r\nMIIEvQ\nab\n", "-----BEGIN-----");
}

TEST_CASE("nothing short or blank is looked for", "[vault]") {
    CHECK(forms_of("").empty());
    CHECK(forms_of("12345").empty());
    CHECK(forms_of("          ").empty());
    CHECK(forms_of("\n\n\n\n  a  \n\n\n\n").empty());
    CHECK_FALSE(forms_of("123456").empty());
    for (const std::string& form : forms_of("ab\ncd\nef\ngh"))
        CHECK(form.size() >= limits::kMaskableSecretBytes);
}

TEST_CASE("forms are sorted and each is there once", "[vault]") {
    const std::vector<std::string_view> secrets{"hunter22", "hunter22", "hunter2", "22retnuh"};
    const auto forms = mask_forms(secrets).forms;
    CHECK(std::ranges::is_sorted(forms));
    CHECK(std::ranges::adjacent_find(forms) == forms.end());
}

TEST_CASE("when the budget runs out, the rarer forms are the ones left out", "[vault]") {
    std::vector<std::string> values;
    for (int i = 0; i < 6; ++i)
        values.push_back(std::string(60'000, static_cast<char>('a' + i)) + "!");
    const std::vector<std::string_view> secrets{values.begin(), values.end()};
    const auto made = mask_forms(secrets);
    CHECK_FALSE(made.complete);
    std::size_t bytes = 0;
    for (const std::string& form : made.forms)
        bytes += form.size();
    CHECK(bytes <= limits::kMaskPatternBytes);
    for (const std::string& value : values)
        CHECK(std::ranges::binary_search(made.forms, value));

    CHECK(mask_forms(std::vector<std::string_view>{values[0]}).complete);
}
