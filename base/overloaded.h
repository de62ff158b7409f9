// overloaded{lambda, lambda}: one visitor for std::visit from several lambdas.
#pragma once

namespace berth {

template <typename... Fs>
struct overloaded : Fs... {
    using Fs::operator()...;
};
template <typename... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

}  // namespace berth
