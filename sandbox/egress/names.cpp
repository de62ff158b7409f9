#include "sandbox/egress/names.h"

#include <netdb.h>

#include <algorithm>
#include <utility>

#include "base/loop/uv_error.h"
#include "model/limits.h"

namespace berth::egress {
namespace {

constexpr std::uint32_t kStandIns = 0xc6120000;  // 198.18.0.0
constexpr std::uint32_t kStandInCount = 1U << 17;
constexpr auto kPerTurn = static_cast<std::uint32_t>(limits::kEgressKnownNames);

Found take(int status, const addrinfo* list) {
    Found found;
    if (status == UV_EAI_NONAME || status == UV_EAI_NODATA || status == UV_EAI_ADDRFAMILY) {
        found.state = Found::State::no_such_name;
        return found;
    }
    if (status < 0) {
        found.why = uv_strerror(status);
        return found;
    }
    for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
        const auto address = Address::from(*at->ai_addr);
        if (address && std::ranges::find(found.addresses, *address) == found.addresses.end())
            found.addresses.push_back(*address);
    }
    found.state = found.addresses.empty() ? Found::State::no_such_name : Found::State::found;
    return found;
}

}  // namespace

const char* const kTooManyNames = "too many names are looked up at once";

struct Lookup::Request {
    uv_getaddrinfo_t uv;
    Callback<void(Found)> done;
    Lookup* asker;  // nobody: it was given up
};

Lookup::Lookup(Loop& loop, const std::string& name, Callback<void(Found)> done) {
    auto request = std::make_unique<Request>();
    request->uv.data = request.get();
    request->done = std::move(done);
    request->asker = this;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    const auto resolved = [](uv_getaddrinfo_t* uv, int status, addrinfo* list) noexcept {
        const std::unique_ptr<Request> held{static_cast<Request*>(uv->data)};
        const Found found = take(status, list);
        uv_freeaddrinfo(list);
        if (held->asker == nullptr) return;
        held->asker->request_ = nullptr;
        held->done(found);
    };
    check_uv(uv_getaddrinfo(loop.raw(), &request->uv, resolved, name.c_str(), nullptr, &hints),
             "looking up a name");
    request_ = request.release();  // freed by `resolved`
}

// So that the questions of runs that have ended hold up nobody's.
Lookup::~Lookup() {
    if (request_ == nullptr) return;
    request_->asker = nullptr;
    (void)uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

Names::Names(Loop& loop, const Clock& clock, std::uint32_t turn)
    : loop_{loop}, clock_{clock}, first_{turn * kPerTurn % kStandInCount} {}

Names::~Names() { *alive_ = false; }

void Names::look_up(const std::string& name, Callback<void(Found)> done) {
    const auto known = found_.find(name);
    if (known != found_.end() &&
        clock_.steady() - known->second.found_at < limits::kEgressNameTime) {
        Found found{Found::State::found, known->second.addresses, {}};
        auto shared = std::make_shared<Callback<void(Found)>>(std::move(done));
        return loop_.later([alive = alive_, shared, found = std::move(found)] {
            if (*alive) (*shared)(found);
        });
    }
    if (waiting_ >= limits::kEgressWaitingLookups) {
        auto shared = std::make_shared<Callback<void(Found)>>(std::move(done));
        return loop_.later([alive = alive_, shared] {
            if (*alive) (*shared)({Found::State::too_many, {}, {}});
        });
    }
    ++waiting_;
    const auto [asked, first] = asked_.try_emplace(name);
    asked->second.push_back(std::move(done));
    if (!first) return;
    if (running_.size() < limits::kEgressLookups)
        begin(name);
    else
        queue_.push_back(name);
}

void Names::begin(const std::string& name) {
    running_[name] = std::make_unique<Lookup>(
        loop_, name, [this, name](const Found& found) { answer(name, found); });
}

void Names::answer(const std::string& name, const Found& found) {
    running_.erase(name);
    if (!queue_.empty()) {
        const std::string next = std::move(queue_.front());
        queue_.erase(queue_.begin());
        begin(next);
    }
    if (found.state == Found::State::found) {
        // Full of names that nobody connects to: forgotten, and looked up again.
        if (found_.size() >= limits::kEgressKnownNames) found_.clear();
        found_[name] = {found.addresses, clock_.steady()};
    } else {
        found_.erase(name);
    }
    auto asked = asked_.extract(name);
    waiting_ -= asked.mapped().size();
    const auto alive = alive_;
    for (auto& done : asked.mapped()) {
        if (!*alive) return;
        done(found);
    }
}

std::optional<Address> Names::stand_in(const std::string& name) {
    const auto [entry, fresh] =
        stand_ins_.try_emplace(name, static_cast<std::uint32_t>(by_stand_in_.size()));
    if (fresh && by_stand_in_.size() >= limits::kEgressKnownNames) {
        stand_ins_.erase(entry);
        return {};
    }
    if (fresh) by_stand_in_.push_back(name);
    return Address::v4(kStandIns + (first_ + entry->second) % kStandInCount);
}

std::optional<std::string> Names::name_of(const Address& stand_in) const {
    if (!is_stand_in(stand_in)) return {};
    const std::uint32_t index =
        (stand_in.v4_number() - kStandIns + kStandInCount - first_) % kStandInCount;
    if (index >= by_stand_in_.size()) return {};
    return by_stand_in_[index];
}

bool Names::is_stand_in(const Address& address) {
    return address.is_v4() && (address.v4_number() & ~(kStandInCount - 1)) == kStandIns;
}

}  // namespace berth::egress
