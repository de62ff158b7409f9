#include "connectors/call/perform.h"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/cptr.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/limits.h"

namespace berth {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLocationBytes = limits::kCallUrlBytes;

struct Arrived {
    std::string body;
    std::string location;
    bool too_large = false;
};

// Called by libcurl, which is C: neither may throw.
std::size_t take_body(const char* bytes, std::size_t, std::size_t size, void* into) noexcept {
    auto& arrived = *static_cast<Arrived*>(into);
    if (arrived.body.size() + size > limits::kCallAnswerBytes) {
        arrived.too_large = true;
        return 0;  // libcurl gives up
    }
    arrived.body.append(bytes, size);
    return size;
}

std::size_t take_header(const char* bytes, std::size_t, std::size_t size, void* into) noexcept {
    constexpr std::string_view kName = "location:";
    const std::string_view line{bytes, size};
    if (size <= kLocationBytes && to_lower_ascii(line.substr(0, kName.size())) == kName)
        static_cast<Arrived*>(into)->location = trim(line.substr(kName.size()));
    return size;
}

// libcurl copies the lines, and does not wipe them: they end with this process.
class HeaderList {
public:
    HeaderList() = default;
    HeaderList(const HeaderList&) = delete;
    HeaderList& operator=(const HeaderList&) = delete;
    ~HeaderList() { curl_slist_free_all(list_); }

    void add(std::string line) {
        curl_slist* longer = curl_slist_append(list_, line.c_str());
        cleanse(line.data(), line.size());
        if (longer == nullptr) throw std::bad_alloc{};
        list_ = longer;
    }
    curl_slist* get() const { return list_; }

private:
    curl_slist* list_ = nullptr;
};

CallAnswer fault(CallFault kind, std::string reason) {
    CallAnswer answer;
    answer.fault = kind;
    answer.reason = std::move(reason);
    return answer;
}

// What only the host that the caller named may see.
bool is_credential(std::string_view name) {
    const std::string lower = to_lower_ascii(name);
    return lower == "authorization" || lower == "cookie" || lower == "proxy-authorization";
}

void add_headers(HeaderList& list, const CallRequest& request, const FilledAuth& auth,
                 const Hop& hop) {
    list.add("Expect:");
    const std::string own = hop.with_credentials ? to_lower_ascii(auth.header_name) : "";
    for (const auto& [name, value] : request.headers) {
        if (to_lower_ascii(name) == own) continue;  // the connection's goes before
        if (!hop.with_credentials && is_credential(name)) continue;
        // To libcurl `Name:` means none at all, and `Name;` an empty one.
        list.add(value.empty() ? name + ";" : name + ": " + value);
    }
    if (!own.empty()) list.add(auth.header_name + ": " + auth.header_value);
}

// Both readers must see the same host: ours, which judged, and libcurl's, which connects.
bool reads_alike(const std::string& url, const CallTarget& target) {
    CPtr<CURLU, curl_url_cleanup> parsed{curl_url()};
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
        return false;
    char* host = nullptr;
    if (curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) return false;
    const bool same = to_lower_ascii(host) == target.host;
    curl_free(host);
    return same;
}

class Exchange {
public:
    Exchange(const CallRequest& request, const FilledAuth& auth, const std::string& ca_file)
        : request_{request}, auth_{auth}, ca_file_{ca_file}, by_{Clock::now() + request.time} {}

    CallAnswer run() {
        Hop hop{request_.method, request_.url, request_.has_body, true};
        for (int redirects = 0;; ++redirects) {
            const auto target = parse_call_target(hop.url);
            if (!target) return fault(CallFault::refused, target.error().message);
            if (auto may = may_reach(*target, request_.hosts, request_.named); !may)
                return fault(CallFault::refused, may.error().message);
            if (!reads_alike(hop.url, *target))
                return fault(CallFault::refused, "its address can be read in two ways");
            Arrived arrived;
            CallAnswer answer = ask(hop, arrived);
            const bool moved = answer.status == 301 || answer.status == 302 ||
                               answer.status == 303 || answer.status == 307 || answer.status == 308;
            if (answer.fault != CallFault::none || !moved || arrived.location.empty())
                return answer;
            if (redirects == limits::kCallRedirects)
                return fault(CallFault::refused, "the partner redirects again and again");
            auto next = follow(request_, hop, answer.status, arrived.location);
            if (!next) return fault(CallFault::refused, next.error().message);
            hop = std::move(*next);
        }
    }

private:
    CallAnswer ask(const Hop& hop, Arrived& arrived) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(by_ - Clock::now());
        if (left.count() <= 0) return fault(CallFault::timed_out, "the partner took too long");
        CPtr<CURL, curl_easy_cleanup> curl{curl_easy_init()};
        if (!curl) return fault(CallFault::refused, "libcurl cannot be used");
        CURL* const c = curl.get();
        HeaderList headers;
        add_headers(headers, request_, auth_, hop);
        std::string url = hop.url;
        if (hop.with_credentials && !auth_.query_name.empty())
            url = with_query(std::move(url), auth_.query_name, auth_.query_value);
        char why[CURL_ERROR_SIZE] = "";
        CURLcode wrong = CURLE_OK;
        const auto set = [&](CURLoption option, auto value) {
            const CURLcode code = curl_easy_setopt(c, option, value);
            if (code != CURLE_OK) wrong = code;
        };
        set(CURLOPT_ERRORBUFFER, why);
        set(CURLOPT_URL, url.c_str());
        cleanse(url.data(), url.size());  // libcurl has its copy
        set(CURLOPT_PROTOCOLS_STR, hop.url.starts_with("http:") ? "http" : "https");
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_SSL_VERIFYPEER, 1L);
        set(CURLOPT_SSL_VERIFYHOST, 2L);
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        if (!ca_file_.empty()) set(CURLOPT_CAINFO, ca_file_.c_str());
        set(CURLOPT_PROXY, "");
        set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        set(CURLOPT_ACCEPT_ENCODING, "");  // what libcurl can; the limit is on what it becomes
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min<long>(10'000, left.count())));
        set(CURLOPT_USERAGENT, "Berth");
        set(CURLOPT_HTTPHEADER, headers.get());
        set(CURLOPT_CUSTOMREQUEST, hop.method.c_str());
        if (hop.method == "HEAD") {
            set(CURLOPT_NOBODY, 1L);
        } else if (hop.with_body) {
            set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request_.body.size()));
            set(CURLOPT_POSTFIELDS, request_.body.c_str());
        }
        set(CURLOPT_WRITEFUNCTION, take_body);
        set(CURLOPT_WRITEDATA, &arrived);
        set(CURLOPT_HEADERFUNCTION, take_header);
        set(CURLOPT_HEADERDATA, &arrived);
        if (wrong != CURLE_OK)
            return fault(CallFault::refused,
                         std::string{"libcurl refuses a setting: "} + curl_easy_strerror(wrong));
        return outcome(c, curl_easy_perform(c), why, arrived);
    }

    static CallAnswer outcome(CURL* c, CURLcode done, const char* why, Arrived& arrived) {
        if (arrived.too_large)
            return fault(CallFault::too_large, fmt::format("its answer has more than {} MiB",
                                                           limits::kCallAnswerBytes / limits::MiB));
        if (done == CURLE_OPERATION_TIMEDOUT)
            return fault(CallFault::timed_out, "the partner took too long");
        if (done != CURLE_OK)
            return fault(CallFault::unreachable,
                         std::strlen(why) > 0 ? why : curl_easy_strerror(done));
        CallAnswer answer;
        long status = 0;
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        char* type = nullptr;
        curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
        answer.status = static_cast<int>(status);
        if (type != nullptr) {
            const std::string_view all{type};
            answer.type = to_lower_ascii(trim(all.substr(0, all.find(';'))));
        }
        answer.body = std::move(arrived.body);
        return answer;
    }

    const CallRequest& request_;
    const FilledAuth& auth_;
    const std::string& ca_file_;
    const Clock::time_point by_;
};

}  // namespace

CallAnswer perform(const CallRequest& request, const FilledAuth& auth, const std::string& ca_file) {
    return Exchange{request, auth, ca_file}.run();
}

}  // namespace berth
