#include "bench/offer.h"

#include <poll.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "base/error.h"
#include "bench/http_wire.h"

namespace berth::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 30s;  // after the end
constexpr auto kTurnedAwayFor = 1s;
constexpr auto kLongestSleep = 20ms;

struct Connection {
    std::optional<HttpWire> wire;
    bool busy = false;
    bool asked = false;  // once at least, each
    Steady::time_point wanted;
    Steady::time_point away_until;  // it was refused
};

class Offering {
public:
    Offering(const std::filesystem::path& socket, const Offer& what)
        : socket_{socket},
          what_{what},
          random_{what.seed},
          begin_{Steady::now()},
          end_{begin_ + what.time},
          next_{begin_},  // so there is one at least
          connections_(static_cast<std::size_t>(what.connections)) {}

    Offered run() {
        while (Steady::now() < end_ || busy_ > 0 || !queue_.empty()) {
            if (Steady::now() > end_ + kPatience) break;
            arrive();
            for (Connection& connection : connections_)
                give_work(connection);
            collect();
        }
        offered_.not_answered = busy_ + static_cast<std::int64_t>(queue_.size());
        offered_.took = Steady::now() - begin_;
        return std::move(offered_);
    }

private:
    bool at_a_rate() const { return what_.per_second > 0; }
    Steady::duration gap() {
        if (!at_a_rate()) return what_.time;
        return std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>{
            std::exponential_distribution<double>{what_.per_second}(random_)});
    }

    void arrive() {
        for (const auto now = Steady::now(); at_a_rate() && next_ <= std::min(now, end_);
             next_ += gap())
            queue_.push_back(next_);
    }

    void give_work(Connection& connection) {
        const auto now = Steady::now();
        if (connection.busy || now < connection.away_until) return;
        if (at_a_rate()) {
            if (queue_.empty()) return;
            connection.wanted = queue_.front();
            queue_.pop_front();
        } else {
            if (now >= end_ && connection.asked) return;
            connection.wanted = now;
        }
        if (!connection.wire) connection.wire.emplace(socket_);
        connection.wire->send(what_.requests[turn_++ % what_.requests.size()]);
        connection.busy = connection.asked = true;
        ++busy_;
        ++offered_.asked;
    }

    void collect() {
        polled_.clear();
        who_.clear();
        for (Connection& connection : connections_)
            if (connection.busy) {
                polled_.push_back({connection.wire->fd(), POLLIN, 0});
                who_.push_back(&connection);
            }
        auto sleep = std::chrono::nanoseconds{kLongestSleep};
        if (at_a_rate() && next_ < end_)
            sleep = std::clamp<std::chrono::nanoseconds>(next_ - Steady::now(), 0ns, sleep);
        const timespec most{0, static_cast<long>(sleep.count())};
        check(::ppoll(polled_.data(), polled_.size(), &most, nullptr), "polling");
        for (std::size_t i = 0; i < polled_.size(); ++i)
            if (polled_[i].revents != 0) receive(*who_[i]);
    }

    void receive(Connection& connection) {
        HttpAnswer answer;
        const auto got = connection.wire->receive(answer);
        if (got == HttpWire::Got::part) return;
        connection.busy = false;
        --busy_;
        if (got == HttpWire::Got::end) {
            ++offered_.turned_away;
            connection.wire.reset();
            connection.away_until = Steady::now() + kTurnedAwayFor;
        } else if (answer.status / 100 == 2) {
            offered_.answers.add(Steady::now() - connection.wanted);
            offered_.accepted.push_back(
                {connection.wanted, nlohmann::json::parse(answer.body)["trigger_id"]});
        } else {
            refused(connection, answer);
        }
    }

    void refused(Connection& connection, const HttpAnswer& answer) {
        ++offered_.refused;
        offered_.refusals.add(Steady::now() - connection.wanted);
        const bool told = answer.status == 429 || answer.status == 503;
        if (!told || !answer.retry_after) ++offered_.without_when;
        connection.wire.reset();  // a refused connection is closed, and another one does no harm
        if (!at_a_rate())
            connection.away_until = Steady::now() + answer.retry_after.value_or(kTurnedAwayFor);
    }

    const std::filesystem::path& socket_;
    const Offer& what_;
    std::mt19937_64 random_;
    const Steady::time_point begin_, end_;
    Steady::time_point next_;
    std::vector<Connection> connections_;
    std::vector<pollfd> polled_;
    std::vector<Connection*> who_;
    std::deque<Steady::time_point> queue_;  // wanted, and no connection was free
    std::size_t turn_ = 0;
    std::int64_t busy_ = 0;
    Offered offered_;
};

}  // namespace

Offered offer(const std::filesystem::path& socket, const Offer& what) {
    return Offering{socket, what}.run();
}

}  // namespace berth::bench
