#include "connectors/oauth/ask.h"

#include <curl/curl.h>

#include <cstring>

#include "base/cptr.h"
#include "base/text.h"

namespace berth {
namespace {

constexpr std::size_t kHeaderBytes = 256;

// Called by libcurl, which is C: neither may throw.
std::size_t take_body(const char* bytes, std::size_t, std::size_t size, void* into) noexcept {
    auto& body = *static_cast<std::string*>(into);
    if (body.size() + size > kTokenAnswerBytes) return 0;  // libcurl gives up
    body.append(bytes, size);
    return size;
}

std::size_t take_header(const char* bytes, std::size_t, std::size_t size, void* into) noexcept {
    constexpr std::string_view kName = "retry-after:";
    const std::string_view line{bytes, size};
    if (size <= kHeaderBytes && to_lower_ascii(line.substr(0, kName.size())) == kName)
        *static_cast<std::string*>(into) = trim(line.substr(kName.size()));
    return size;
}

class Lists {
public:
    bool add(const std::string& line) {
        curl_slist* longer = curl_slist_append(list_, line.c_str());
        if (longer) list_ = longer;
        return longer != nullptr;
    }
    Lists() = default;
    Lists(const Lists&) = delete;
    Lists& operator=(const Lists&) = delete;
    ~Lists() { curl_slist_free_all(list_); }
    curl_slist* get() const { return list_; }

private:
    curl_slist* list_ = nullptr;
};

template <typename Value>
void set(CURL* curl, CURLoption option, Value value, CURLcode& worst) {
    const CURLcode code = curl_easy_setopt(curl, option, value);
    if (code != CURLE_OK) worst = code;
}

}  // namespace

Result<HttpAnswer> ask_provider(const OAuthRequest& request, const TokenForm& form,
                                const AskLimits& limits) {
    CPtr<CURL, curl_easy_cleanup> curl{curl_easy_init()};
    if (!curl) return fail(FailureKind::invalid, "libcurl cannot be used");
    HttpAnswer answer;
    Lists headers;
    bool listed = headers.add("Accept: application/json") &&
                  headers.add("Content-Type: " + form.content_type) && headers.add("Expect:");
    if (!form.authorization.empty())
        listed = listed && headers.add("Authorization: " + form.authorization);

    CURLcode wrong = listed ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    char why[CURL_ERROR_SIZE] = "";
    CURL* const c = curl.get();
    set(c, CURLOPT_URL, request.url.c_str(), wrong);
    set(c, CURLOPT_PROTOCOLS_STR, request.plain_http ? "http,https" : "https", wrong);
    set(c, CURLOPT_FOLLOWLOCATION, 0L, wrong);
    set(c, CURLOPT_SSL_VERIFYPEER, 1L, wrong);
    set(c, CURLOPT_SSL_VERIFYHOST, 2L, wrong);
    set(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2), wrong);
    set(c, CURLOPT_PROXY, "", wrong);  // whatever the environment says
    set(c, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED), wrong);
    set(c, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1), wrong);
    set(c, CURLOPT_NOSIGNAL, 1L, wrong);
    set(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count()), wrong);
    set(c, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.all.count()), wrong);
    set(c, CURLOPT_MAXFILESIZE, static_cast<long>(kTokenAnswerBytes), wrong);
    set(c, CURLOPT_USERAGENT, "Berth", wrong);
    set(c, CURLOPT_HTTPHEADER, headers.get(), wrong);
    set(c, CURLOPT_POSTFIELDSIZE, static_cast<long>(form.body.size()), wrong);
    set(c, CURLOPT_POSTFIELDS, form.body.c_str(), wrong);
    set(c, CURLOPT_WRITEFUNCTION, take_body, wrong);
    set(c, CURLOPT_WRITEDATA, &answer.body, wrong);
    set(c, CURLOPT_HEADERFUNCTION, take_header, wrong);
    set(c, CURLOPT_HEADERDATA, &answer.retry_after, wrong);
    set(c, CURLOPT_ERRORBUFFER, why, wrong);
    if (wrong != CURLE_OK)
        return fail(FailureKind::invalid, "libcurl refuses a setting: {}",
                    curl_easy_strerror(wrong));

    const CURLcode done = curl_easy_perform(c);
    if (done == CURLE_WRITE_ERROR || done == CURLE_FILESIZE_EXCEEDED)
        return fail(FailureKind::unavailable, "its answer is larger than 1 MiB");
    // libcurl says 'unsupported protocol' of an answer that is not HTTP as well: that is theirs.
    long connects = 0;
    curl_easy_getinfo(c, CURLINFO_NUM_CONNECTS, &connects);
    const bool unusable = done == CURLE_UNSUPPORTED_PROTOCOL || done == CURLE_URL_MALFORMAT;
    if (unusable && connects == 0)
        return fail(FailureKind::invalid, "its address cannot be used: {}",
                    curl_easy_strerror(done));
    if (done != CURLE_OK)
        return fail(FailureKind::unavailable, "{}",
                    std::strlen(why) > 0 ? why : curl_easy_strerror(done));
    long status = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
    return answer;
}

}  // namespace berth
