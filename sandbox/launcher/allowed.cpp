#include "sandbox/launcher/allowed.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "sandbox/launcher/syscalls.h"

namespace berth::launcher {
namespace {

bool is_name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

const char* grantable(const std::string& name) {
    for (const char* known : grantable_syscalls())
        if (name == known) return known;
    return nullptr;
}

template <typename List>
auto find(const List& list, const char* name) -> const typename List::value_type* {
    for (const auto& one : list)
        if (std::strcmp(one.name, name) == 0) return &one;
    return nullptr;
}

}  // namespace

bool parse_named(const char* text, Named& named) {
    std::size_t size = 0;
    while (is_name_letter(text[size]))
        ++size;
    if (size == 0 || size >= sizeof named.name || text[size] != '=' || text[size + 1] == '\0')
        return false;
    std::memcpy(named.name, text, size);
    named.name[size] = '\0';
    named.value = text + size + 1;
    return true;
}

const WritableFolder* Allowed::folder(const char* name) const { return find(folders, name); }
const SyscallSet* Allowed::set(const char* name) const { return find(sets, name); }

const char* add_syscalls(Allowed& allowed, const Named& named, FilterOptions options) {
    if (allowed.set(named.name) != nullptr) return "has a name that was given before";
    std::vector<const char*> calls;
    const std::string list = named.value;
    for (std::size_t begin = 0; begin <= list.size();) {
        const std::size_t end = std::min(list.find(',', begin), list.size());
        const char* call = grantable(list.substr(begin, end - begin));
        if (call == nullptr)
            return "has a call that cannot be granted: it is unknown or would undo a wall of the "
                   "sandbox";
        calls.push_back(call);
        begin = end + 1;
    }
    SyscallSet set;
    std::strcpy(set.name, named.name);
    options.extra = calls;
    int err = 0;
    set.filter = make_script_filter(options, err);
    if (err != 0) return "could not be made a filter";
    allowed.sets.push_back(std::move(set));
    allowed.grants |= ipc::grant_extra_syscalls;
    return nullptr;
}

}  // namespace berth::launcher
