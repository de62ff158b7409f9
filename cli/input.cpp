#include "cli/input.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "model/json.h"
#include "model/limits.h"

namespace berth {
namespace {

// Up to `limit` bytes of a descriptor, straight into memory that is cleansed.
Result<Secret> read_secret(int fd, std::size_t limit, std::string_view what) {
    Secret buffer = Secret::of_size(limit + 2);  // and a line end
    std::size_t size = 0;
    while (size < buffer.size()) {
        const ssize_t n = ::read(fd, buffer.data() + size, buffer.size() - size);
        if (n < 0 && errno == EINTR) continue;
        check(n, "reading {}", what);
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
    }
    std::string_view text = buffer.reveal().substr(0, size);
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.size() < size && text.ends_with('\r')) text.remove_suffix(1);
    if (text.size() > limit)
        return fail(FailureKind::over_limit, "{} holds more than {} bytes, the most of a secret",
                    what, limit);
    return Secret{text};
}

Result<std::string> read_all(int fd, std::size_t limit) {
    std::string all;
    char chunk[16 * 1024];
    for (;;) {
        const ssize_t n = ::read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        check(n, "reading standard input");
        if (n == 0) return all;
        all.append(chunk, static_cast<std::size_t>(n));
        if (all.size() > limit)
            return fail(FailureKind::over_limit, "standard input holds more than {} bytes", limit);
    }
}

Result<Secret> read_secret_file(const std::string& path) {
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file)
        return fail(FailureKind::not_found, "cannot read the file '{}': {}", path,
                    std::generic_category().message(errno));
    return read_secret(file.get(), limits::kSecretBytes, fmt::format("file '{}'", path));
}

// Without echo and without signals, so that no key leaves the terminal silent;
// as it was before, when this goes away.
class QuietTerminal {
public:
    explicit QuietTerminal(int fd) : fd_{fd} {
        check(::tcgetattr(fd_, &before_), "reading the terminal's settings");
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
        check(::tcsetattr(fd_, TCSAFLUSH, &quiet), "turning the terminal's echo off");
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;
    ~QuietTerminal() { ::tcsetattr(fd_, TCSAFLUSH, &before_); }

private:
    int fd_;
    termios before_{};
};

// Appends a JSON string. Written here because a JSON value would keep a copy of
// the secret that nobody cleanses.
void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            constexpr char kHex[] = "0123456789abcdef";
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

// How often a part of standard input or of the command line was named.
Result<void> check_names(const std::vector<std::string>& names) {
    if (names.empty())
        return fail(FailureKind::invalid,
                    "no field is given; 'FIELD=-' reads one from standard input");
    if (names.size() > limits::kSecretFields)
        return fail(FailureKind::invalid, "{} fields are given; the most is {}", names.size(),
                    limits::kSecretFields);
    for (auto name = names.begin(); name != names.end(); ++name) {
        if (name->empty())
            return fail(FailureKind::invalid, "a field has no name; write 'FIELD=-'");
        if (std::find(names.begin(), name, *name) != name)
            return fail(FailureKind::invalid, "field '{}' is given twice", *name);
    }
    return {};
}

}  // namespace

Result<std::string> text_argument(Io& io, std::string_view option, const std::string& text,
                                  std::size_t limit) {
    if (text != "-" && !text.starts_with('@')) return text;
    auto read = text == "-" ? read_all(io.in_fd, limit) : read_file(text.substr(1), limit);
    if (!read) return fail(FailureKind::invalid, "cannot use {}: {}", option, read.error().message);
    return std::move(*read);
}

Result<std::string> json_argument(Io& io, std::string_view option, const std::string& text) {
    auto json = text_argument(io, option, text, limits::kTriggerPayloadBytes);
    if (!json) return json;
    auto value = parse_json(*json);
    if (!value)
        return fail(FailureKind::invalid, "{} is not valid JSON: {}", option,
                    value.error().message);
    if (!value->is_object())
        return fail(FailureKind::invalid, "{} is not a JSON object; write '{{\"key\": \"value\"}}'",
                    option);
    return json;
}

Result<std::vector<SecretField>> read_secrets(Io& io, const std::vector<std::string>& arguments,
                                              const std::vector<std::string>& prompts) {
    std::vector<std::string> names;
    bool stdin_taken = false;
    for (const std::string& argument : arguments) {
        const auto equals = argument.find('=');
        // Not repeated in the message: it may be a value that lacks its field.
        if (equals == std::string::npos)
            return fail(FailureKind::invalid,
                        "an argument has no '='; write 'FIELD=-', 'FIELD=@file' or '--prompt "
                        "FIELD'");
        names.push_back(argument.substr(0, equals));
        if (argument.substr(equals + 1) == "-" && std::exchange(stdin_taken, true))
            return fail(FailureKind::invalid,
                        "only one field can be read from standard input; use files for the rest");
    }
    names.insert(names.end(), prompts.begin(), prompts.end());
    if (auto good = check_names(names); !good) return pass_on(good);

    std::vector<SecretField> fields;
    for (const std::string& argument : arguments) {
        const std::string_view value = std::string_view{argument}.substr(argument.find('=') + 1);
        const std::string& name = names[fields.size()];
        Result<Secret> secret;
        if (value == "-") {
            secret = read_secret(io.in_fd, limits::kSecretBytes, "standard input");
        } else if (value.starts_with('@')) {
            secret = read_secret_file(std::string{value.substr(1)});
        } else {
            say(io,
                fmt::format("warning: the value of '{0}' is on the command line, where 'ps' and "
                            "the shell's history show it; '{0}=-' reads it from standard input",
                            name));
            secret = Secret{value};
        }
        if (!secret) return pass_on(secret);
        fields.push_back({name, std::move(*secret)});
    }
    for (const std::string& name : prompts) {
        auto secret = prompt_secret(io.in_fd, fmt::format("{}: ", name));
        if (!secret) return pass_on(secret);
        fields.push_back({name, std::move(*secret)});
    }
    for (const SecretField& field : fields)
        if (!is_utf8(field.value.reveal()))
            return fail(FailureKind::invalid,
                        "the value of '{}' is not UTF-8 text; encode it, for example as base64",
                        field.name);
    return fields;
}

std::string secrets_body(const std::vector<SecretField>& fields) {
    std::size_t most = 16;
    for (const SecretField& field : fields)
        most += 6 * (field.name.size() + field.value.size()) + 8;
    std::string body;
    body.reserve(most);  // never moved: an outgrown buffer would be freed uncleansed
    body += "{\"secrets\":{";
    for (const SecretField& field : fields) {
        if (&field != &fields.front()) body += ',';
        append_quoted(body, field.name);
        body += ':';
        append_quoted(body, field.value.reveal());
    }
    body += "}}";
    return body;
}

Result<Secret> prompt_secret(int tty_fd, std::string_view question) {
    constexpr char kCtrlC = 3, kCtrlD = 4, kCtrlU = 21, kBackspace = 8, kDelete = 127;
    if (::isatty(tty_fd) != 1)
        return fail(FailureKind::invalid,
                    "--prompt needs a terminal; use 'FIELD=-' to read from a pipe");
    const QuietTerminal quiet{tty_fd};
    write_all(tty_fd, question);
    Secret buffer = Secret::of_size(limits::kSecretBytes);
    std::size_t size = 0;
    for (;;) {
        char key = 0;
        const ssize_t n = ::read(tty_fd, &key, 1);
        if (n < 0 && errno == EINTR) continue;
        check(n, "reading the terminal");
        if (n == 0 || key == kCtrlC || (key == kCtrlD && size == 0)) {
            write_all(tty_fd, "\n");
            return fail(FailureKind::conflict, "given up: nothing was changed");
        }
        if (key == '\n' || key == '\r') break;
        if (key == kCtrlU)
            size = 0;
        else if (key == kBackspace || key == kDelete)
            size -= size > 0 ? 1 : 0;
        else if (size < buffer.size())
            buffer.data()[size++] = static_cast<unsigned char>(key);
    }
    write_all(tty_fd, "\n");
    return Secret{buffer.reveal().substr(0, size)};
}

}  // namespace berth
