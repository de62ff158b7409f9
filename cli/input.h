// What comes in beside the command line: JSON arguments, and secrets that must
// not stand on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "cli/io.h"

namespace berth {

// Text given itself, as `@file`, or `-` for standard input; `option` is
// named in the failure.
Result<std::string> text_argument(Io& io, std::string_view option, const std::string& text,
                                  std::size_t limit);
// The same, which must be the JSON text of an object. `option` is named in the failure.
Result<std::string> json_argument(Io& io, std::string_view option, const std::string& text);

// One field of a connection.
struct SecretField {
    std::string name;
    Secret value;
};

// `FIELD=VALUE`, `FIELD=@file`, `FIELD=-` (standard input, once), and the fields
// of `prompts`, asked for on the terminal without echo. One line end at the very
// end of a file or of standard input is dropped. A value on the command line is
// remarked upon, since `ps` shows it.
Result<std::vector<SecretField>> read_secrets(Io& io, const std::vector<std::string>& arguments,
                                              const std::vector<std::string>& prompts);

// `{"secrets":{...}}`; the caller cleanses it.
std::string secrets_body(const std::vector<SecretField>& fields);

// Asks on the terminal `tty_fd`, without echo. Ctrl-C gives it up, backspace and
// Ctrl-U correct.
Result<Secret> prompt_secret(int tty_fd, std::string_view question);

}  // namespace berth
