// What the wire format costs on the way of a query: parse_request, fit, and keeping a reply. Prints
// nanoseconds for each; for instructions run one loop alone: bench_dns parse 10000000, under `perf
// stat` or callgrind.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "dns/answer.h"
#include "dns/fit.h"
#include "dns/request.h"

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint8_t question[] = {3,   'w', 'w', 'w', 7,   'e', 'x', 'a', 'm', 'p', 'l',
                                     'e', 3,   'c', 'o', 'm', 0,   0,   1,   0,   1};
constexpr std::uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};

Octets query(bool edns) {
  Octets wire{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(edns ? 1 : 0)};
  wire.insert(wire.end(), std::begin(question), std::end(question));
  if (edns) wire.insert(wire.end(), std::begin(opt), std::end(opt));
  return wire;
}

Octets reply() {
  Octets wire{0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 1};
  wire.insert(wire.end(), std::begin(question), std::end(question));
  for (std::uint8_t host = 1; host <= 2; ++host) {
    wire.insert(wire.end(), {0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, host});
  }
  wire.insert(wire.end(), std::begin(opt), std::end(opt));
  return wire;
}

/// Keeps the compiler from seeing that nobody reads the result.
template <class T>
void keep(T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

template <class Work>
void measure(const char* name, long loops, Work work) {
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < loops; ++i) work();
  const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
  std::printf("%-28s %8.1f ns\n", name, taken.count() / static_cast<double>(loops));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  const long loops = argc > 2 ? std::atol(argv[2]) : 5'000'000;
  const auto wanted = [&](std::string_view name) { return only.empty() || name.starts_with(only); };

  const Octets plain = query(false);
  const Octets edns = query(true);
  const Octets response = reply();
  dns::Request request;
  dns::Request edns_request;
  dns::parse_request(plain, request);
  dns::parse_request(edns, edns_request);
  const dns::KeptAnswer kept = *dns::keep_answer(response);
  Octets out(4096);

  if (wanted("parse")) {
    measure("parse_request", loops, [&] {
      dns::Request parsed;
      dns::parse_request(plain, parsed);
      keep(parsed);
    });
    measure("parse_request, EDNS", loops, [&] {
      dns::Request parsed;
      dns::parse_request(edns, parsed);
      keep(parsed);
    });
  }
  if (wanted("fit")) {
    const auto fit = [&](const char* name, const dns::Request& to, const dns::FitOptions& options) {
      measure(name, loops, [&] {
        const std::size_t size = dns::fit(to, kept.view(), options, out);
        keep(size);
      });
    };
    fit("fit, 2 records", request, {.size_limit = 512, .age = 7});
    fit("fit, 2 records, EDNS", edns_request, {.size_limit = 1232, .age = 7});
    fit("fit, padded to 468", edns_request, {.age = 7, .padding_block = 468});
  }
  if (wanted("keep")) {
    measure("keep_answer, 2 records, EDNS", loops / 10, [&] {
      const auto made = dns::keep_answer(response);
      keep(made);
    });
  }
}
