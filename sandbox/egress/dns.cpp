#include "sandbox/egress/dns.h"

#include "base/text.h"

namespace berth::egress {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kNameBytes = 255;
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::uint16_t kOurUdpBytes = 1232;  // that we would take, by EDNS

// Reads from the front; once something was missing, `ok` is false for ever.
class Bytes {
public:
    explicit Bytes(std::string_view all) : rest_{all} {}
    bool ok() const { return ok_; }
    bool empty() const { return rest_.empty(); }

    std::string_view take(std::size_t count) {
        if (count > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }
    std::uint8_t byte() {
        const auto one = take(1);
        return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one[0]);
    }
    std::uint16_t number() {
        const unsigned high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }

private:
    std::string_view rest_;
    bool ok_ = true;
};

void put(std::string& to, std::uint16_t number) {
    to += static_cast<char>(number >> 8);
    to += static_cast<char>(number & 0xff);
}

// Labels in full; a question has nothing before it that a pointer could point to.
bool read_name(Bytes& bytes, std::string& name, std::size_t& length) {
    length = 0;
    for (;;) {
        const std::uint8_t size = bytes.byte();
        length += size + 1U;
        if (!bytes.ok() || size > 63 || length > kNameBytes) return false;
        if (size == 0) break;
        if (!name.empty()) name += '.';
        const auto label = bytes.take(size);
        // A dot within a label would read as two of them; no host has one, nor a zero.
        for (const char c : label)
            name += c == '.' || c == '\0' ? '\x01' : c;
    }
    name = to_lower_ascii(name);
    return bytes.ok();
}

// An OPT record has the root's name. Its options are skipped.
bool skip_additional(Bytes& bytes, bool& edns) {
    std::string name;
    std::size_t length = 0;
    if (!read_name(bytes, name, length)) return false;
    const std::uint16_t type = bytes.number();
    (void)bytes.take(2 + 4);
    (void)bytes.take(bytes.number());
    if (type == kTypeOpt && name.empty()) edns = true;
    return bytes.ok();
}

}  // namespace

std::optional<DnsQuestion> parse_dns(std::string_view packet) {
    Bytes bytes{packet};
    DnsQuestion question;
    question.id = bytes.number();
    const std::uint16_t flags = bytes.number();
    const std::uint16_t questions = bytes.number();
    const std::uint16_t answers = bytes.number();
    const std::uint16_t authorities = bytes.number();
    const std::uint16_t additionals = bytes.number();
    const bool is_answer = (flags & 0x8000U) != 0;
    const bool truncated = (flags & 0x0200U) != 0;
    if (!bytes.ok() || is_answer || truncated || questions != 1 || answers != 0 ||
        authorities != 0 || additionals > 2)
        return {};
    question.opcode = flags >> 11 & 0xfU;
    question.recursion_desired = (flags & 0x0100U) != 0;
    std::size_t length = 0;
    if (!read_name(bytes, question.name, length)) return {};
    question.type = bytes.number();
    question.kind = bytes.number();
    for (unsigned i = 0; i < additionals; ++i)
        if (!skip_additional(bytes, question.edns)) return {};
    if (!bytes.ok() || !bytes.empty()) return {};
    question.raw = std::string{packet.substr(kHeaderBytes, length + 4)};
    return question;
}

std::string make_dns_answer(const DnsQuestion& question, DnsCode code,
                            const std::optional<Address>& address) {
    std::string answer;
    put(answer, question.id);
    unsigned flags = 0x8000U | 0x0080U | static_cast<unsigned>(code);  // an answer, recursive
    flags |= question.opcode << 11;
    if (question.recursion_desired) flags |= 0x0100U;
    put(answer, static_cast<std::uint16_t>(flags));
    put(answer, 1);
    put(answer, address ? 1 : 0);
    put(answer, 0);
    put(answer, question.edns ? 1 : 0);
    answer += question.raw;
    if (address) {
        put(answer, 0xc000 | kHeaderBytes);  // the question's name
        put(answer, kDnsTypeA);
        put(answer, kDnsClassInternet);
        put(answer, 0);
        put(answer, kDnsTimeToLive);
        put(answer, 4);
        answer.append(reinterpret_cast<const char*>(address->bytes().data()), 4);
    }
    if (question.edns) {
        answer += '\0';
        put(answer, kTypeOpt);
        put(answer, kOurUdpBytes);
        put(answer, 0);
        put(answer, 0);
        put(answer, 0);
    }
    return answer;
}

}  // namespace berth::egress
